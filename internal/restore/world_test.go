package restore

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
	"imageferry/internal/unpack"
	"imageferry/internal/unpack/unpacktest"
)

const (
	region  = "cn-hangzhou"
	account = "1234567890123456"
	golden  = "golden-images"
	layout  = manifest.Layout("imageferry/")
)

// errKilled is what a dead process gets from every call.
var errKilled = errors.New("killed")

// A world is ECS and OSS in memory, and a process that can be killed at any of its calls.
type world struct {
	t       *testing.T
	objects *unpacktest.Memory
	journal manifesttest.Memory

	mu     sync.Mutex
	calls  []string
	killAt int // the call at which the process dies; -1 for none
	after  bool
	dead   bool
	// refuse answers calls of a name with an error in their place.
	refuse map[string]error

	bucket    export.Bucket
	images    map[string]*made
	snapshots map[string]bool
	imports   int // images that ECS has begun to make
	deleted   []string
}

// made is an image that ECS has been asked to make.
type made struct {
	image   manifest.Image
	request Request
	disks   [][]byte
	begun   time.Time
	failure string // of the task
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, objects: unpacktest.NewMemory(), killAt: -1, refuse: map[string]error{}, images: map[string]*made{}, snapshots: map[string]bool{},
		bucket: export.Bucket{Name: golden, Location: "oss-" + region, OwnerID: account, ACL: "private", StorageClass: "Standard"},
	}
	w.objects.Now = time.Now
	return w
}

// restorer is a new process.
func (w *world) restorer() *Restorer {
	w.mu.Lock()
	w.dead = false
	w.mu.Unlock()
	settings := Settings{Region: region, AccountID: account, Layout: layout, RetryDelay: time.Minute, ClockSkew: time.Second, Program: "test"}
	cloud := Cloud{Images: ecs{w}, Tasks: ecs{w}, Objects: oss{w}, Store: journal{w}, Bucket: func(string) unpack.Store { return bucket{w} }}
	return New(cloud, settings, time.Now, slog.New(slog.DiscardHandler))
}

// call counts a call of the process, and applies it unless it dies there.
func (w *world) call(ctx context.Context, name string, apply func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	n := len(w.calls)
	w.calls = append(w.calls, name)
	dies, refused := n == w.killAt, w.refuse[name]
	if w.dead || dies && !w.after {
		w.dead = true
		w.mu.Unlock()
		return errKilled
	}
	w.mu.Unlock()
	if refused != nil {
		return refused
	}
	err := apply()
	if dies {
		w.mu.Lock()
		w.dead = true
		w.mu.Unlock()
		return errKilled
	}
	return err
}

func (w *world) count(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		if c == name {
			n++
		}
	}
	return n
}

// journal is the manifest store as the process sees it.
type journal struct{ w *world }

func (j journal) Create(ctx context.Context, key string, data []byte) error {
	return j.w.call(ctx, "Create", func() error {
		if err := validate(data); err != nil {
			j.w.t.Errorf("create %s: %v\n%s", key, err, data)
		}
		if _, err := decode(data); err != nil || !strings.HasPrefix(key, "imageferry/journal/restores/"+region+"/") {
			j.w.t.Errorf("create %s: %v", key, err)
		}
		return j.w.journal.Create(ctx, key, data)
	})
}

func (j journal) Put(ctx context.Context, key string, data []byte) error {
	return j.w.call(ctx, "Put", func() error { return j.w.journal.Put(ctx, key, data) })
}

func (j journal) Get(ctx context.Context, key string) (data []byte, err error) {
	err = j.w.call(ctx, "Get", func() (err error) { data, err = j.w.journal.Get(ctx, key); return })
	return data, err
}

func (j journal) Delete(ctx context.Context, key string) error {
	if !strings.HasPrefix(key, "imageferry/active/restores/"+region+"/") {
		j.w.t.Errorf("delete %s: nothing of the journal is deleted", key)
	}
	return j.w.call(ctx, "Delete", func() error { return j.w.journal.Delete(ctx, key) })
}

func (j journal) List(ctx context.Context, prefix, after string, limit int) (keys []string, more bool, err error) {
	err = j.w.call(ctx, "List", func() (err error) { keys, more, err = j.w.journal.List(ctx, prefix, after, limit); return })
	return keys, more, err
}

// oss is what the domain reads of the objects.
type oss struct{ w *world }

func (o oss) Bucket(ctx context.Context, name string) (b export.Bucket, found bool, err error) {
	err = o.w.call(ctx, "Bucket", func() error { b, found = o.w.bucket, name == golden; return nil })
	return b, found, err
}

func (o oss) Object(ctx context.Context, _, key string) (info export.ObjectInfo, found bool, err error) {
	err = o.w.call(ctx, "Object", func() error {
		object, err := o.w.objects.Head(ctx, key)
		if errors.Is(err, unpack.ErrAbsent) {
			return nil
		}
		found = true
		info = export.ObjectInfo{Size: object.Size, ETag: object.ETag, CRC64: strconv.FormatUint(object.CRC64, 10), StorageClass: "Standard"}
		return err
	})
	return info, found, err
}

func (o oss) Read(ctx context.Context, _, key string, offset, length int64) ([]byte, error) {
	return nil, errors.New("not used")
}

// bucket is the unpack.Store as the process sees it.
type bucket struct{ w *world }

func (b bucket) Head(ctx context.Context, key string) (o unpack.Object, err error) {
	err = b.w.call(ctx, "Head", func() (err error) { o, err = b.w.objects.Head(ctx, key); return })
	return o, err
}

func (b bucket) Read(ctx context.Context, r unpack.Range) (body io.ReadCloser, err error) {
	err = b.w.call(ctx, "Read", func() (err error) { body, err = b.w.objects.Read(ctx, r); return })
	return body, err
}

func (b bucket) Put(ctx context.Context, key string, body io.ReaderAt, size int64) (o unpack.Object, err error) {
	err = b.w.call(ctx, "PutObject", func() (err error) { b.mine(key); o, err = b.w.objects.Put(ctx, key, body, size); return })
	return o, err
}

func (b bucket) Delete(ctx context.Context, key string) error {
	return b.w.call(ctx, "DeleteObject", func() error { b.mine(key); return b.w.objects.Delete(ctx, key) })
}

func (b bucket) List(ctx context.Context, prefix string) (all []unpack.Object, err error) {
	err = b.w.call(ctx, "ListObjects", func() (err error) { all, err = b.w.objects.List(ctx, prefix); return })
	return all, err
}

func (b bucket) Begin(ctx context.Context, key string) (u unpack.Upload, err error) {
	err = b.w.call(ctx, "Begin", func() (err error) { b.mine(key); u, err = b.w.objects.Begin(ctx, key); return })
	return u, err
}

func (b bucket) Uploads(ctx context.Context, prefix string) (all []unpack.Upload, err error) {
	err = b.w.call(ctx, "Uploads", func() (err error) { all, err = b.w.objects.Uploads(ctx, prefix); return })
	return all, err
}

func (b bucket) Abort(ctx context.Context, u unpack.Upload) error {
	return b.w.call(ctx, "Abort", func() error { return b.w.objects.Abort(ctx, u) })
}

func (b bucket) PutPart(ctx context.Context, u unpack.Upload, p unpack.Part, body io.ReaderAt) (made unpack.Part, err error) {
	err = b.w.call(ctx, "PutPart", func() (err error) { made, err = b.w.objects.PutPart(ctx, u, p, body); return })
	return made, err
}

func (b bucket) CopyPart(ctx context.Context, u unpack.Upload, n int, from unpack.Range) (made unpack.Part, err error) {
	err = b.w.call(ctx, "CopyPart", func() (err error) { made, err = b.w.objects.CopyPart(ctx, u, n, from); return })
	return made, err
}

func (b bucket) Parts(ctx context.Context, u unpack.Upload) (all []unpack.Part, err error) {
	err = b.w.call(ctx, "Parts", func() (err error) { all, err = b.w.objects.Parts(ctx, u); return })
	return all, err
}

func (b bucket) Complete(ctx context.Context, u unpack.Upload, parts []unpack.Part) (o unpack.Object, err error) {
	err = b.w.call(ctx, "Complete", func() (err error) { o, err = b.w.objects.Complete(ctx, u, parts); return })
	return o, err
}

// mine: a restore writes and deletes under its own prefix only.
func (b bucket) mine(key string) {
	if !strings.HasPrefix(key, "imageferry/restore/") {
		b.w.t.Errorf("%s is changed", key)
	}
}

// ecs makes images of objects over time: the task is finished after ten minutes, the image Available a minute later.
type ecs struct{ w *world }

func (e ecs) Import(ctx context.Context, q Request) (answer Accepted, err error) {
	err = e.w.call(ctx, "ImportImage", func() error {
		e.w.mu.Lock()
		defer e.w.mu.Unlock()
		for id, m := range e.w.images {
			if m.request.ClientToken != "" && m.request.ClientToken == q.ClientToken {
				if fmt.Sprint(m.request) != fmt.Sprint(q) {
					e.w.t.Errorf("the token comes again with %+v instead of %+v", q, m.request)
				}
				answer = Accepted{ImageID: id, TaskID: "t-" + id, RequestID: "again"}
				return nil
			}
			if m.image.Name == q.Name {
				return &export.CallError{Op: "ImportImage", Code: "InvalidImageName.Duplicated", Status: 400}
			}
		}
		m := &made{request: q, begun: time.Now()}
		for _, d := range q.Disks {
			content, err := e.w.content(d.Key)
			if err != nil {
				return &export.CallError{Op: "ImportImage", Code: "InvalidOSSObject.NotFound", Status: 400, Message: d.Key}
			}
			m.disks = append(m.disks, content)
		}
		e.w.imports++
		id := fmt.Sprintf("m-imported%d", e.w.imports)
		m.image = e.w.imported(id, q)
		e.w.images[id] = m
		answer = Accepted{ImageID: id, TaskID: "t-" + id, RequestID: "R"}
		return nil
	})
	return answer, err
}

func (w *world) content(key string) ([]byte, error) {
	object, err := w.objects.Head(context.Background(), key)
	if err != nil {
		return nil, err
	}
	body, err := w.objects.Read(context.Background(), unpack.Range{Key: key, Length: object.Size})
	if err != nil {
		return nil, err
	}
	return io.ReadAll(body)
}

// imported is the image as it will be.
func (w *world) imported(id string, q Request) manifest.Image {
	now := time.Now().UTC()
	image := manifest.Image{
		ID: id, Name: q.Name, Description: q.Description, OwnerAlias: "self", Region: region, Status: "Waiting", OSType: q.OSType,
		Platform: q.Platform, Architecture: q.Architecture, BootMode: q.BootMode, NvmeSupport: q.NvmeSupport, ImdsSupport: q.ImdsSupport,
		Tags: maps.Clone(q.Tags), CreationTime: &now,
	}
	for i, d := range q.Disks {
		disk := manifest.Disk{Device: "/dev/xvd" + string(rune('a'+i)), Type: "data", SizeGiB: d.SizeGiB, SnapshotID: fmt.Sprintf("s-%s-%d", id, i)}
		if i == 0 {
			disk.Type = "system"
		}
		image.Disks = append(image.Disks, disk)
		w.snapshots[disk.SnapshotID] = true
	}
	return image
}

// look is a made image as it is now. The caller holds the lock.
func (m *made) look() manifest.Image {
	image := m.image
	switch age := time.Since(m.begun); {
	case m.failure != "" && age > 10*time.Minute:
		image.Status = "CreateFailed"
	case age > 11*time.Minute:
		image.Status = "Available"
	case age > time.Minute:
		image.Status = "Creating"
	}
	return image
}

func (e ecs) Image(ctx context.Context, id string) (image manifest.Image, found bool, err error) {
	err = e.w.call(ctx, "DescribeImages", func() error {
		e.w.mu.Lock()
		defer e.w.mu.Unlock()
		m, ok := e.w.images[id]
		if found = ok; ok {
			image = m.look()
		}
		return nil
	})
	return image, found, err
}

func (e ecs) Named(ctx context.Context, name string) (image manifest.Image, found bool, err error) {
	err = e.w.call(ctx, "DescribeImages", func() error {
		e.w.mu.Lock()
		defer e.w.mu.Unlock()
		for _, m := range e.w.images {
			if m.image.Name == name {
				image, found = m.look(), true
			}
		}
		return nil
	})
	return image, found, err
}

func (e ecs) Modify(ctx context.Context, id string, c Change) error {
	return e.w.call(ctx, "ModifyImageAttribute", func() error {
		e.w.mu.Lock()
		defer e.w.mu.Unlock()
		i := &e.w.images[id].image
		i.Family, i.BootMode = cmp.Or(c.Family, i.Family), cmp.Or(c.BootMode, i.BootMode)
		return nil
	})
}

func (e ecs) Delete(ctx context.Context, id string) error {
	return e.w.call(ctx, "DeleteImage", func() error {
		e.w.mu.Lock()
		defer e.w.mu.Unlock()
		m, ok := e.w.images[id]
		if ok && m.look().Status != "Available" && m.look().Status != "CreateFailed" {
			return &export.CallError{Op: "DeleteImage", Code: "ImageIsImporting", Status: 403}
		}
		delete(e.w.images, id)
		e.w.deleted = append(e.w.deleted, id)
		return nil
	})
}

func (e ecs) DeleteSnapshot(ctx context.Context, id string) error {
	return e.w.call(ctx, "DeleteSnapshot", func() error {
		e.w.mu.Lock()
		defer e.w.mu.Unlock()
		for _, m := range e.w.images {
			if slices.ContainsFunc(m.image.Disks, func(d manifest.Disk) bool { return d.SnapshotID == id }) {
				e.w.t.Errorf("snapshot %s of an image that is there is deleted", id)
			}
		}
		delete(e.w.snapshots, id)
		return nil
	})
}

func (e ecs) ImportOf(ctx context.Context, imageID string, _ time.Time) (task export.Task, found bool, err error) {
	err = e.w.call(ctx, "DescribeTasks", func() error {
		e.w.mu.Lock()
		defer e.w.mu.Unlock()
		_, found = e.w.images[imageID]
		task = export.Task{ID: "t-" + imageID}
		return nil
	})
	return task, found, err
}

func (e ecs) Detail(ctx context.Context, taskID string) (d export.TaskDetail, found bool, err error) {
	err = e.w.call(ctx, "DescribeTaskAttribute", func() error {
		e.w.mu.Lock()
		defer e.w.mu.Unlock()
		m, ok := e.w.images[strings.TrimPrefix(taskID, "t-")]
		if found = ok; !ok {
			return nil
		}
		d.ID, d.Status = taskID, "Processing"
		switch over := time.Since(m.begun) > 10*time.Minute; {
		case over && m.failure != "":
			d.Status, d.Failed = "Failed", 1
			d.Subtasks = []export.Subtask{{Status: "Failed", ErrorCode: m.failure, Message: "it did not work"}}
		case over:
			d.Status = "Finished"
		}
		return nil
	})
	return d, found, err
}

func (e ecs) Cancel(ctx context.Context, taskID string) error {
	return e.w.call(ctx, "CancelTask", func() error {
		e.w.mu.Lock()
		defer e.w.mu.Unlock()
		delete(e.w.images, strings.TrimPrefix(taskID, "t-"))
		return nil
	})
}

// plain is the content of a disk: some islands in zeros.
func plain(disk int) []byte {
	content := make([]byte, 24<<10)
	for at := 0; at < len(content); at += 8 << 10 {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", disk, at))
		copy(content[at:], bytes.Repeat(sum[:], 64))
	}
	return content
}

func archive(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	a := tar.NewWriter(z)
	err := errors.Join(a.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(content))}))
	_, writeErr := a.Write(content)
	if err = errors.Join(err, writeErr, a.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// exported is the manifest of an export of so many disks, whose objects are put into the world.
func (w *world) exported(disks int, format string) *manifest.Manifest {
	w.t.Helper()
	created := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	m := &manifest.Manifest{
		Schema: manifest.SchemaV1, Revision: 3, State: manifest.Exported, CreatedAt: created, UpdatedAt: created,
		Destination: manifest.Destination{Region: region, Bucket: golden, Format: format},
		Image: manifest.Image{
			ID: "m-golden", Name: "web-01", Description: "golden", Family: "web", Version: "7", AccountID: account, OSType: "linux",
			Platform: "Aliyun", Architecture: "x86_64", BootMode: preferred, NvmeSupport: "supported", ImdsSupport: "v2",
			Tags: map[string]string{"team": "red", "acs:rm": "x"}, CreationTime: &created,
		},
	}
	for i := range disks {
		object := manifest.Object{Bucket: golden, Role: "data", Device: "xvd" + string(rune('a'+i)), Content: "gzip"}
		disk := manifest.Disk{Device: "/dev/" + object.Device, Type: "data", SizeGiB: 20 + i}
		if i == 0 {
			object.Role, object.Device, disk.Type = "system", "", "system"
		}
		content := archive(w.t, "disk.raw", plain(i))
		object.Key = fmt.Sprintf("m-golden_%s_%s.raw.tar.gz", object.Role, object.Device)
		if format == "qcow2" {
			object.Content, object.Key = "qcow2", fmt.Sprintf("m-golden_%s_%s.%s", object.Role, object.Device, "img")
			content = append([]byte("QFI\xfb\x00\x00\x00\x03"), plain(i)...)
		}
		w.put(&object, content)
		m.Image.Disks = append(m.Image.Disks, disk)
		m.Objects = append(m.Objects, object)
	}
	slices.Reverse(m.Objects) // the order is the restore's to find
	return m
}

func (w *world) put(o *manifest.Object, content []byte) {
	made, err := w.objects.Put(context.Background(), o.Key, bytes.NewReader(content), int64(len(content)))
	if err != nil {
		w.t.Fatal(err)
	}
	o.Size, o.ETag = made.Size, made.ETag
	o.CRC64 = strconv.FormatUint(crc64.Checksum(content, crc64.MakeTable(crc64.ECMA)), 10)
}

// run runs orders until the restore has ended, a new process each time, for as long as it takes.
func (w *world) run(order func(*Restorer) Order) *Record {
	w.t.Helper()
	var record *Record
	var err error
	for range 60 {
		r := w.restorer()
		record, err = r.Run(w.t.Context(), order(r))
		if err == nil && record.State.Terminal() {
			return record
		}
		time.Sleep(4 * time.Minute) // in the time of synctest
	}
	w.t.Fatalf("the restore has not ended: %+v (%v)", record, err)
	return nil
}

// checkNothingLeft finds no temporary object and no unfinished upload.
func (w *world) checkNothingLeft() {
	w.t.Helper()
	objects, err := w.objects.List(context.Background(), "imageferry/")
	uploads, uploadsErr := w.objects.Uploads(context.Background(), "")
	if err != nil || uploadsErr != nil || len(objects)+len(uploads) > 0 {
		w.t.Errorf("left behind: %+v %+v (%v, %v)", objects, uploads, err, uploadsErr)
	}
}

// checkJournal finds revisions without gaps, each readable, with a lease wherever somebody acts, and one restore at a time.
func (w *world) checkJournal(name string) []manifest.Place[*Record] {
	w.t.Helper()
	places, err := NewJournal(&w.journal, layout).History(context.Background(), region, name)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, p := range places {
		if p.Err != nil {
			w.t.Errorf("revision %d: %v", p.Number, p.Err)
			continue
		}
		if i > 0 && places[i-1].Revision != nil {
			if before := places[i-1].Revision; before.State.Terminal() && p.Revision.ID == before.ID {
				w.t.Errorf("revision %d leaves %s without a new beginning", p.Number, before.State)
			}
		}
	}
	return places
}
