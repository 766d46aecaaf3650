package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/restore"
	"imageferry/internal/unpack"
	"imageferry/policy"
)

// Leftovers is what OSS tells of a bucket's objects and of its multipart uploads that were never completed. The rules of Cloud
// hold.
type Leftovers interface {
	List(ctx context.Context, prefix string) ([]unpack.Object, error)
	Uploads(ctx context.Context, prefix string) ([]unpack.Upload, error)
}

// restoreRoles checks what a function that restores needs beside what every function does.
func (e *examination) restoreRoles(ctx context.Context) {
	if !e.options.Config.Restore {
		return
	}
	bucket := e.oss(e.at.Bucket)
	temporary := bucket + "/" + e.layout.Temporary("0123456789abcdef") + "disk.raw"
	ecs := fmt.Sprintf("acs:ecs:%s:%s:", e.options.Region, e.caller.AccountID)
	e.role(ctx, roleSpec{
		check: "import-role", name: restore.DefaultRole, service: "ecs.aliyuncs.com", trust: policy.ImportTrust,
		permissions: policy.ImportPermissions, attach: "imageferry-import", resources: []string{bucket, temporary},
	})
	e.permissions(ctx, roleSpec{
		check: "restore", name: e.options.FunctionRole, permissions: policy.RestorePermissions, attach: "imageferry-restore",
		resources: []string{bucket, temporary, ecs + "image/" + sampleImage, ecs + "snapshot/s-00000000000000000000"},
		prefix:    string(e.layout) + "restore/",
	})
}

// restores looks at the restores that have not ended, and at what others have left behind.
func (e *examination) restores(ctx context.Context) {
	entries, whole, err := manifest.OpenRestores(ctx, e.Store, e.layout, e.options.Region)
	if err != nil {
		e.unknown("restores", "", err.Error(), "imageferry doctor")
		return
	}
	journal := restore.NewJournal(e.Store, e.layout)
	work, err := journal.AtWork(ctx, e.options.Region)
	if err != nil {
		e.unknown("restores", "", err.Error(), "imageferry doctor")
		return
	}
	bad := 0
	for _, l := range work {
		seen, repair := e.listedTrouble(l, entries, whole)
		if seen != "" && bad < maxReported {
			bad++
			e.problem("restores", l.Name, seen, repair...)
		}
	}
	open := e.using(ctx, journal, work, entries)
	if bad == 0 && (e.options.Config.Restore || len(open) > 0) {
		good := plural(len(open), "restore") + " at work"
		if !whole && len(work) > 0 {
			good += "; the next round writes their index anew"
		}
		e.ok("restores", "", good)
	}
	if e.options.Config.Restore && e.Exports != nil {
		e.leftovers(ctx, open)
	}
}

// using are the ids of the restores that temporary objects may belong to: those at work, those that are about to begin, and those
// that cannot be read.
func (e *examination) using(ctx context.Context, journal *restore.Journal, work []restore.Listed, entries []manifest.Open) map[string]bool {
	open := map[string]bool{}
	for _, l := range work {
		if l.Err == nil {
			open[l.Record.ID] = true
		}
	}
	for _, entry := range entries {
		if open[entry.ID] {
			continue
		}
		if _, err := journal.Head(ctx, e.options.Region, entry.Name); err != nil {
			open[entry.ID] = true
		}
	}
	return open
}

// listedTrouble tells what is wrong with a restore that has not ended, and how that is repaired. An index that is not whole is
// written anew by the next round; what a whole one lacks, nobody comes to.
func (e *examination) listedTrouble(l restore.Listed, entries []manifest.Open, whole bool) (seen string, repair []string) {
	if l.Err != nil {
		return l.Err.Error(), []string{"imageferry list --restores"}
	}
	indexed := slices.ContainsFunc(entries, func(o manifest.Open) bool { return o.ID == l.Record.ID })
	if whole && !indexed && e.now().Sub(l.Record.UpdatedAt) > e.grace() {
		return fmt.Sprintf("the restore %s is %s, and the index does not have it: no timer comes to it", l.Name, l.Record.State), []string{
			"ossutil rm oss://" + e.options.Config.ManifestBucket + "/" + e.layout.OpenComplete(e.options.Region),
		}
	}
	return e.restoreTrouble(l.Record)
}

// restoreTrouble tells whether a restore waits for somebody to repair something, or has not been gone on with for long.
func (e *examination) restoreTrouble(r *restore.Record) (seen string, repair []string) {
	again := "imageferry restore " + r.Source.Image.ID + " --name " + r.Name + " --wait"
	if r.Rehearsal {
		again = "imageferry restore " + r.Source.Image.ID + " --rehearse"
	}
	overdue := func(since time.Time) bool { return e.now().Sub(since) > e.grace() }
	for _, reason := range restore.Reasons() {
		if reason.Code == r.Reason && reason.Class == restore.Repair {
			return fmt.Sprintf("the restore %s waits: %s: %s", r.Name, r.Reason, r.Detail), []string{r.Remedy, again}
		}
	}
	switch {
	case r.State == restore.Importing && e.now().Sub(r.UpdatedAt) > e.options.MaxExporting:
		return fmt.Sprintf("the restore %s has been importing %s for %s", r.Name, r.Image.ID, short(e.now().Sub(r.UpdatedAt))), []string{
			fmt.Sprintf("aliyun ecs DescribeTaskAttribute --RegionId %s --TaskId %s", e.options.Region, r.Image.TaskID), again,
		}
	case r.State == restore.Queued && overdue(*r.DueAt), r.Lease != nil && overdue(r.Lease.Until), r.State == restore.Cleaning && overdue(r.UpdatedAt):
		return fmt.Sprintf("the restore %s is %s, and nobody goes on with it", r.Name, r.State), []string{again}
	}
	return "", nil
}

// leftovers finds temporary objects and uploads that belong to no restore at work.
func (e *examination) leftovers(ctx context.Context, open map[string]bool) {
	const check = "restore-leftovers"
	prefix := string(e.layout) + "restore/"
	bucket := "acs:oss:*:*:" + e.at.Bucket
	objects, err := e.Exports.List(ctx, prefix)
	if err != nil {
		e.refused(check, err, "oss:ListObjects", bucket)
		return
	}
	uploads, err := e.Exports.Uploads(ctx, prefix)
	if err != nil {
		e.refused(check, err, "oss:ListMultipartUploads", bucket)
		return
	}
	left := func(key string) bool {
		id, _, _ := strings.Cut(strings.TrimPrefix(key, prefix), "/")
		return !open[id]
	}
	var bytes int64
	n, m := 0, 0
	for _, o := range objects {
		if left(o.Key) {
			n++
			bytes += o.Size
		}
	}
	for _, u := range uploads {
		if left(u.Key) {
			m++
		}
	}
	if n+m == 0 {
		e.ok(check, "", "nothing is left of restores")
		return
	}
	e.problem(check, e.at.Bucket, fmt.Sprintf("%s with %d bytes and %s belong to no restore at work, unless they were to be kept",
		plural(n, "temporary object"), bytes, plural(m, "unfinished upload")),
		"ossutil ls oss://"+e.at.Bucket+"/"+prefix,
		"ossutil rm -r oss://"+e.at.Bucket+"/"+prefix+"<id>/",
		"ossutil rm -r -m oss://"+e.at.Bucket+"/"+prefix)
}
