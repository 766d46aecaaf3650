package export

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/manifest"
	"imageferry/internal/words"
)

// verify compares what ECS reported for a finished task with what is in OSS. The keys are ECS's own, never guessed. An
// error means that OSS could not be asked.
func (f *Ferry) verify(ctx context.Context, m *manifest.Manifest, d TaskDetail) ([]manifest.Object, *finding, error) {
	var reported []Subtask
	for _, s := range d.Subtasks {
		if s.Object != "" {
			reported = append(reported, s)
		}
	}
	if len(reported) == 0 {
		return nil, found(verifyNoObjects, "task "+d.ID+" is finished and ECS reported no object"), nil
	}
	// Guess: every disk has a subtask of its own, as the documents say of exports with data disks.
	if len(reported) < len(m.Image.Disks) {
		return nil, found(verifyDisks, fmt.Sprintf("the image has %d disks, ECS reported %s",
			len(m.Image.Disks), words.Plural(len(reported), "object"))), nil
	}
	objects := make([]manifest.Object, len(reported))
	findings := make([]*finding, len(reported))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i, s := range reported {
		g.Go(func() (err error) {
			objects[i], findings[i], err = f.verifyObject(ctx, m.Destination, s)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	for _, bad := range findings {
		if bad != nil {
			return nil, bad, nil
		}
	}
	assignRoles(objects)
	if !slices.ContainsFunc(objects, func(o manifest.Object) bool { return o.Role == "system" }) {
		return nil, found(verifyDisks, "none of the objects that ECS reported for task "+d.ID+" holds the system disk"), nil
	}
	return objects, nil, nil
}

func (f *Ferry) verifyObject(ctx context.Context, d manifest.Destination, s Subtask) (manifest.Object, *finding, error) {
	bucket := s.Bucket
	if bucket == "" {
		bucket = d.Bucket
	}
	name := bucket + "/" + s.Object
	info, ok, err := f.Objects.Object(ctx, bucket, s.Object)
	if err != nil {
		return manifest.Object{}, nil, err
	}
	if !ok {
		return manifest.Object{}, found(verifyMissing, "ECS reported "+name+", which is not there"), nil
	}
	if info.Size == 0 {
		return manifest.Object{}, found(verifyEmpty, name+" is empty"), nil
	}
	content, err := f.content(ctx, bucket, s.Object, info.Size)
	if err != nil {
		return manifest.Object{}, nil, err
	}
	if !fits(content, s.Format) {
		return manifest.Object{}, found(verifyContent, fmt.Sprintf("%s was reported as %s, and begins as %s", name, s.Format, content)), nil
	}
	return manifest.Object{
		Bucket:       bucket,
		Key:          s.Object,
		Size:         info.Size,
		CRC64:        info.CRC64,
		ETag:         info.ETag,
		StorageClass: info.StorageClass,
		LastModified: info.LastModified.UTC(),
		Content:      content,
	}, nil, nil
}

// unknownContent is what begins like nothing that is known.
const unknownContent = "something unknown"

// magics are how the formats begin.
var magics = []struct {
	content string
	offset  int
	bytes   string
}{
	{"gzip", 0, "\x1f\x8b"},
	{"qcow2", 0, "QFI\xfb"},
	{"vmdk", 0, "KDMV"},
	{"vmdk", 0, "# Disk DescriptorFile"},
	{"vhd", 0, "conectix"},
	{"vdi", 64, "\x7f\x10\xda\xbe"},
}

// headLength covers every magic.
const headLength = 68

// content tells what an object is by its first bytes, or, for a VHD of fixed size, by its last 512.
func (f *Ferry) content(ctx context.Context, bucket, key string, size int64) (string, error) {
	head, err := f.Objects.Read(ctx, bucket, key, 0, headLength)
	if err != nil {
		return "", err
	}
	if c := contentOf(head); c != unknownContent {
		return c, nil
	}
	const footer = 512
	if size < footer {
		return unknownContent, nil
	}
	tail, err := f.Objects.Read(ctx, bucket, key, -footer, footer)
	if err != nil {
		return "", err
	}
	if bytes.HasPrefix(tail, []byte("conectix")) {
		return "vhd", nil
	}
	return unknownContent, nil
}

func contentOf(head []byte) string {
	for _, m := range magics {
		if len(head) >= m.offset && bytes.HasPrefix(head[m.offset:], []byte(m.bytes)) {
			return m.content
		}
	}
	return unknownContent
}

// fits compares what an object is with the format that ECS reported for it: raw is an archive, the others are themselves.
// Where ECS reported none, anything known will do.
func fits(content, format string) bool {
	switch f := strings.ToLower(format); f {
	case "":
		return content != unknownContent
	case "raw":
		return content == "gzip"
	default:
		return content == f
	}
}

// diskName is what the documents say of the names: system, or data with the mount point.
var diskName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`_(system|data)(?:_([a-z0-9]+))?\.`) })

// assignRoles tells system and data disks apart by their names. Guess: where no name tells, the first is the system disk,
// as in ImportImage's mappings.
func assignRoles(objects []manifest.Object) {
	system := false
	for i := range objects {
		match := diskName().FindStringSubmatch(objects[i].Key)
		if match == nil {
			continue
		}
		objects[i].Role, objects[i].Device = match[1], match[2]
		system = system || match[1] == "system"
	}
	for i := range objects {
		if objects[i].Role != "" {
			continue
		}
		objects[i].Role = "data"
		if !system {
			objects[i].Role, system = "system", true
		}
	}
}
