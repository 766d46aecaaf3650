package manifest

import (
	"context"
	"strings"
	"time"
)

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
	return l.rehearsals(d) + imageID + ".json"
}

func (l Layout) rehearsals(d Destination) string {
	return string(l) + "manifests/rehearsals/" + d.path() + "/"
}

// Rehearsed lists up to limit ids, greater than after, of the images whose exports to a destination were rehearsed; more tells
// whether there may be others.
func Rehearsed(ctx context.Context, store Store, l Layout, d Destination, after string, limit int) (ids []string, more bool, err error) {
	return stableNames(ctx, store, l.rehearsals(d), after, limit)
}

// Temporary is the prefix of the objects that a restore makes and removes again, in the bucket of the exported objects.
func (l Layout) Temporary(id string) string { return string(l) + "restore/" + id + "/" }

// RestoreNames lists up to limit names of restored images in a region that are greater than after, in byte order; more tells
// whether there may be others.
func RestoreNames(ctx context.Context, store Store, l Layout, region, after string, limit int) (names []string, more bool, err error) {
	return stableNames(ctx, store, l.Restores(region), after, limit)
}

// An Open restore is one that has not ended, as the index tells it: a hint.
type Open struct {
	BegunAt  time.Time // to the second
	Name, ID string
}

func (l Layout) open(region string) string { return l.Active() + "restores/" + region + "/" }

// Open is the key of a restore in the index of those that have not ended, in the order in which they began. Another restore of
// the same name has another id, and so another key: removing the one never hides the other.
func (l Layout) Open(region string, o Open) string {
	return l.open(region) + o.BegunAt.UTC().Format(openFormat) + "/" + o.Name + "/" + o.ID
}

const openFormat = "20060102T150405Z"

func (l Layout) parseOpen(region, key string) (Open, bool) {
	parts := strings.Split(strings.TrimPrefix(key, l.open(region)), "/")
	if len(parts) != 3 {
		return Open{}, false
	}
	at, err := time.Parse(openFormat, parts[0])
	o := Open{BegunAt: at, Name: parts[1], ID: parts[2]}
	return o, err == nil && l.Open(region, o) == key
}

// OpenComplete is the key without which the index of the open restores into a region has to be written anew: whoever empties the
// index takes it along. It sorts before every entry, so that whoever lists those comes upon it first.
func (l Layout) OpenComplete(region string) string { return l.open(region) + ".complete" }

// OpenRestores lists the restores into a region that have not ended, at most a page of them; whole tells whether the index has
// been complete since it was last written.
func OpenRestores(ctx context.Context, store Store, l Layout, region string) (all []Open, whole bool, err error) {
	all, _, err = listPage(ctx, store, l.open(region), "", func(key string) (Open, bool) {
		whole = whole || key == l.OpenComplete(region)
		return l.parseOpen(region, key)
	})
	return all, whole, err
}
