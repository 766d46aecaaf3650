package manifest

import "context"

// Restores keep their journal, their projections and their temporary objects apart from the exports': no region is called
// restores or rehearsals.

// RestoreJournal is the prefix of every revision of the restores that make an image of this name in a region.
func (l Layout) RestoreJournal(region, name string) string {
	return string(l) + "journal/restores/" + region + "/" + name + "/"
}

// Restores is the prefix of the newest revisions of all restores into a region, under stable keys.
func (l Layout) Restores(region string) string {
	return string(l) + "manifests/restores/" + region + "/"
}

// Rehearsal is the key of what the rehearsals of an export have shown.
func (l Layout) Rehearsal(d Destination, imageID string) string {
	return string(l) + "manifests/rehearsals/" + d.path() + "/" + imageID + ".json"
}

// Temporary is the prefix of the objects that a restore makes and removes again, in the bucket of the exported objects.
func (l Layout) Temporary(id string) string { return string(l) + "restore/" + id + "/" }

// RestoreNames lists up to limit names of restored images in a region that are greater than after, in byte order; more tells
// whether there may be others.
func RestoreNames(ctx context.Context, store Store, l Layout, region, after string, limit int) (names []string, more bool, err error) {
	return stableNames(ctx, store, l.Restores(region), after, limit)
}
