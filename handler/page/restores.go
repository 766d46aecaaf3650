package page

import (
	"imageferry/internal/restore"
	"imageferry/internal/words"
)

// A restoreRow is one restore in a list.
type restoreRow struct {
	Name    string // of the image that is made
	State   string
	Icon    string
	Href    string // the page of the exported image
	From    string
	Image   string // id of the image that is made
	Reason  string
	Remedy  string
	Detail  string
	Note    string
	Updated when
}

func (p *site) restores(records []*restore.Record) []restoreRow {
	var rows []restoreRow
	for _, r := range records {
		line := restoreRow{
			Name: say(r.Name), State: string(r.State), Icon: restoreIcon(r.State), Href: imagePath(r.Source.Image.ID), From: say(r.Source.Image.ID),
			Reason: say(r.Reason), Remedy: say(r.Remedy), Detail: say(r.Detail), Note: p.restoreNote(r), Updated: p.when(r.UpdatedAt),
		}
		if r.Image != nil {
			line.Image = say(r.Image.ID)
		}
		rows = append(rows, line)
	}
	return rows
}

// restoreIcon is that of the state of exports which means the most similar.
func restoreIcon(s restore.State) string {
	switch s {
	case restore.Queued, restore.Failed, restore.Cancelled:
		return string(s)
	case restore.Importing:
		return "exporting"
	case restore.Restored, restore.Rehearsed:
		return "exported"
	}
	return "submitting"
}

// restoreNote is the one more thing worth knowing about a restore.
func (p *site) restoreNote(r *restore.Record) string {
	now := p.opts.Now()
	switch {
	case r.State == restore.Queued && r.DueAt.After(now):
		return "due " + words.Since(*r.DueAt, now)
	case r.State == restore.Queued:
		return "due now"
	case r.Lease != nil && r.Lease.Until.Before(now):
		return "whoever was at it is gone; the next round takes it over"
	case r.State == restore.Preparing:
		ready := 0
		for _, d := range r.Disks {
			if d.Ready {
				ready++
			}
		}
		return count(ready) + " of " + counted(len(r.Disks), "disk") + " ready to import"
	case r.State == restore.Rehearsed:
		return "compared with the manifest, and deleted again"
	case r.State == restore.Restored && r.Verification != nil && len(r.Verification.Differences()) > 0:
		return counted(len(r.Verification.Differences()), "difference") + " from the manifest"
	}
	return ""
}
