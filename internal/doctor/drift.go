package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// How much is compared unless the examination is deep: exports, and exported ones whose objects are looked at.
const (
	someExports = 200
	someObjects = 20
)

// A drift is where what belongs together disagrees. Its lists are findings that are reported up to maxReported times each.
type drift struct {
	*examination
	mu       sync.Mutex
	heads    []*manifest.Manifest
	findings map[string][]Finding
}

func (d *drift) found(check, about, seen string, repair ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.findings[check] = append(d.findings[check], Finding{Check: check, About: about, Status: Problem, Seen: seen, Repair: repair})
}

// drift compares the journal with the manifests, the index and the objects.
func (e *examination) drift(ctx context.Context) {
	d := &drift{examination: e, findings: map[string][]Finding{}}
	ids, more, err := d.images(ctx)
	if err != nil {
		e.unknown("journal", "", err.Error(), "imageferry doctor")
		return
	}
	if err := each(ctx, ids, d.head); err != nil {
		e.unknown("journal", "", err.Error(), "imageferry doctor")
		return
	}
	what := plural(len(ids), "export")
	if more {
		what = fmt.Sprintf("the first %s (--deep: all)", what)
	}
	d.report("journal", what+": "+d.states())
	d.report("manifests", "every manifest is the newest revision")
	d.markers(ctx)
	d.objects(ctx)
}

// report adds the findings of a check, or that there are none.
func (d *drift) report(check, good string) {
	findings := d.findings[check]
	if len(findings) == 0 {
		d.ok(check, "", good)
		return
	}
	slices.SortFunc(findings, func(a, b Finding) int { return strings.Compare(a.About+a.Seen, b.About+b.Seen) })
	for _, f := range findings[:min(len(findings), maxReported)] {
		d.examination.report.add(f)
	}
	if rest := len(findings) - maxReported; rest > 0 {
		d.problem(check, "", fmt.Sprintf("and %d more", rest), "imageferry doctor --deep --json")
	}
}

// each calls do for every id, a few at a time.
func each(ctx context.Context, ids []string, do func(context.Context, string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, id := range ids {
		g.Go(func() error { return do(ctx, id) })
	}
	return g.Wait()
}

// images are the ids that have a journal or a manifest.
func (d *drift) images(ctx context.Context) (ids []string, more bool, err error) {
	limit := 1 << 30
	if !d.options.Deep {
		limit = someExports
	}
	journals := d.layout.Journals(d.at)
	known := map[string]bool{}
	for after := ""; len(known) < limit; {
		keys, more, err := d.Store.List(ctx, journals, after, 1000)
		if err != nil {
			return nil, false, err
		}
		for _, key := range keys {
			if id, _, ok := strings.Cut(strings.TrimPrefix(key, journals), "/"); ok {
				known[id] = true
			}
		}
		if !more {
			break
		}
		after = keys[len(keys)-1]
	}
	for after := ""; len(known) < limit; {
		page, next, err := d.journal.Images(ctx, d.at, after, 1000)
		if err != nil {
			return nil, false, err
		}
		for _, id := range page {
			known[id] = true
		}
		if !next || len(page) == 0 {
			break
		}
		after = page[len(page)-1]
	}
	for id := range known {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if len(ids) > limit {
		return ids[:limit], true, nil
	}
	return ids, false, nil
}

// head reads the newest revision of an export and compares the manifest with it.
func (d *drift) head(ctx context.Context, id string) error {
	head, err := d.journal.Head(ctx, d.at, id)
	bucket := "oss://" + d.options.Config.ManifestBucket + "/"
	switch {
	case errors.Is(err, manifest.ErrNotFound):
		d.found("journal", id, "there is a manifest of "+id+", and no journal",
			"Restore "+bucket+d.layout.Journal(d.at, id)+" from a backup, or: ossutil rm "+bucket+d.layout.Manifest(d.at, id))
		return nil
	case unreadable(err):
		code := "journal-unreadable"
		if errors.Is(err, manifest.ErrNewer) {
			code = "journal-newer"
		}
		d.found("journal", id, fmt.Sprintf("%s: %v", code, err), "ossutil ls "+bucket+d.layout.Journal(d.at, id), d.reasons[code].Remedy)
		return nil
	case err != nil:
		return err
	}
	d.mu.Lock()
	d.heads = append(d.heads, head)
	d.mu.Unlock()
	return d.manifest(ctx, head)
}

// manifest compares what stands under the stable key with the newest revision.
func (d *drift) manifest(ctx context.Context, head *manifest.Manifest) error {
	if !d.settled(head) {
		return nil
	}
	id := head.Image.ID
	published, err := d.journal.Published(ctx, d.at, id)
	var seen string
	switch {
	case errors.Is(err, manifest.ErrNotFound):
		seen = fmt.Sprintf("%s has no manifest", id)
	case unreadable(err):
		seen = fmt.Sprintf("the manifest of %s cannot be read", id)
	case err != nil:
		return err
	case published.Revision != head.Revision || published.Writer != head.Writer:
		seen = fmt.Sprintf("the manifest of %s is revision %d (%s), the journal is at %d (%s)", id, published.Revision, published.State,
			head.Revision, head.State)
	default:
		return nil
	}
	bucket := "oss://" + d.options.Config.ManifestBucket + "/"
	d.found("manifests", id, seen, fmt.Sprintf("ossutil cp -f %s%s%08d.json %s%s", bucket, d.layout.Journal(d.at, id), head.Revision,
		bucket, d.layout.Manifest(d.at, id)))
	return nil
}

// settled tells whether whoever wrote the newest revision has had time to write the rest.
func (d *drift) settled(head *manifest.Manifest) bool {
	return head.UpdatedAt.Before(d.now().Add(-d.grace()))
}

// states counts the exports by their states.
func (d *drift) states() string {
	n := map[string]int{}
	for _, head := range d.heads {
		n[string(head.State)]++
	}
	if len(n) == 0 {
		return "none yet"
	}
	return counts(n)
}

// markers compares the index with the newest revisions.
func (d *drift) markers(ctx context.Context) {
	queued, err := d.examination.markers(ctx, d.index.Queued)
	if err != nil {
		d.unknown("markers", "", err.Error(), "imageferry doctor")
		return
	}
	exporting, err := d.examination.markers(ctx, d.index.Exporting)
	if err != nil {
		d.unknown("markers", "", err.Error(), "imageferry doctor")
		return
	}
	present := append(queued, exporting...)
	left := 0
	bucket := "oss://" + d.options.Config.ManifestBucket + "/"
	for _, head := range d.heads {
		wanted, needed := manifest.MarkerOf(head)
		if needed && d.settled(head) && !slices.Contains(present, wanted) {
			d.found("markers", head.Image.ID, fmt.Sprintf("%s is %s, and the index does not have it: no timer comes to it", head.Image.ID, head.State),
				"ossutil rm "+bucket+d.layout.CompleteKey(), "imageferry sweep")
		}
		for _, m := range present {
			stale := m.ImageID == head.Image.ID && m.Destination == head.Destination && (!needed || m != wanted)
			if stale {
				left++
			}
			// The timers remove one that is due, or whose task they ask for.
			if stale && d.settled(head) && m.Due.Before(d.now().Add(-d.grace())) {
				d.found("markers", head.Image.ID, fmt.Sprintf("%s is %s, and the index has it elsewhere, too", head.Image.ID, head.State),
					"imageferry follow", "ossutil rm "+bucket+d.layout.MarkerKey(m))
			}
		}
	}
	good := "the index fits the journal"
	if left > 0 {
		good += fmt.Sprintf("; the next rounds remove %s", plural(left, "left-over marker"))
	}
	d.report("markers", good)
}

// objects compares the recorded objects with those in OSS.
func (d *drift) objects(ctx context.Context) {
	var exported []*manifest.Manifest
	for _, head := range d.heads {
		if head.State == manifest.Exported {
			exported = append(exported, head)
		}
	}
	slices.SortFunc(exported, func(a, b *manifest.Manifest) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	what := "of all exports"
	if !d.options.Deep && len(exported) > someObjects {
		exported, what = exported[:someObjects], fmt.Sprintf("of the newest %d exports (--deep: all)", someObjects)
	}
	var bytes int64
	n := 0
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, head := range exported {
		for _, o := range head.Objects {
			n++
			bytes += o.Size
			g.Go(func() error { return d.object(gctx, head.Image.ID, o) })
		}
	}
	if err := g.Wait(); err != nil {
		d.unknown("objects", "", err.Error(), "imageferry doctor --deep")
		return
	}
	d.report("objects", fmt.Sprintf("%s %s are as recorded, %d bytes", plural(n, "object"), what, bytes))
}

func (d *drift) object(ctx context.Context, id string, o manifest.Object) error {
	name := "oss://" + o.Bucket + "/" + o.Key
	now, found, err := d.Storage.Object(ctx, o.Bucket, o.Key)
	again := "imageferry submit --force " + id
	switch {
	case err != nil:
		return err
	case !found:
		d.found("objects", id, name+" is missing", "Restore it from a backup, or, if the image still exists: "+again)
	default:
		if changed := changes(o, now); changed != "" {
			d.found("objects", id, name+" has changed since it was verified: "+changed, "ossutil stat "+name, again)
		}
	}
	return nil
}

// changes tells in what an object differs from what was recorded; nothing when it does not.
func changes(o manifest.Object, now export.ObjectInfo) string {
	var parts []string
	if o.Size != now.Size {
		parts = append(parts, fmt.Sprintf("%d bytes, not %d", now.Size, o.Size))
	}
	if o.CRC64 != "" && now.CRC64 != "" && o.CRC64 != now.CRC64 {
		parts = append(parts, "another CRC-64")
	}
	if o.ETag != now.ETag {
		parts = append(parts, "another ETag")
	}
	return strings.Join(parts, ", ")
}
