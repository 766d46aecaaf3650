package manifest_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

const goldenFolder = "../../testdata/manifests"

// exported is the manifest of an image with a system and a data disk, with every field that such a one has.
func exported() *manifest.Manifest {
	at := func(minutes int) time.Time { return time.Date(2026, 11, 23, 3, minutes, 0, 0, time.UTC) }
	created, event, ended := at(0), at(1), at(42)
	return &manifest.Manifest{
		Schema:      manifest.SchemaV1,
		Revision:    3,
		State:       manifest.Exported,
		CreatedAt:   at(2),
		UpdatedAt:   at(45),
		Writer:      "8f14e45fceea167a5a36dedd4bea2543",
		Program:     "1.0.0",
		Destination: destination(),
		Image: manifest.Image{
			ID:              "m-bp1g7004ksh0oeuc0001",
			Name:            "web-2026-11-23",
			Description:     "Golden image of the web tier",
			Family:          "web",
			Version:         "2026.11.23",
			Status:          "Available",
			Region:          "cn-hangzhou",
			AccountID:       "1234567890123456",
			OwnerAlias:      "self",
			OSType:          "linux",
			OSName:          "Alibaba Cloud Linux 3.2104 LTS 64-bit",
			Platform:        "Aliyun",
			Architecture:    "x86_64",
			BootMode:        "UEFI",
			NvmeSupport:     "supported",
			ImdsSupport:     "v2",
			ResourceGroupID: "rg-acfmxazb4p00001",

			IsSupportCloudinit:    true,
			LoginAsNonRootSupport: true,
			SizeGiB:               40,
			CreationTime:          &created,
			Disks: []manifest.Disk{
				{Device: "/dev/xvda", Type: "system", SizeGiB: 40, SnapshotID: "s-bp17441ohwka0yuh0001", Format: "RAW"},
				{Device: "/dev/xvdb", Type: "data", SizeGiB: 100, SnapshotID: "s-bp17441ohwka0yuh0002", Format: "RAW"},
			},
			Tags:            map[string]string{"stage": "golden", "team": "platform"},
			DetectionStatus: "Finished",
			DetectionItems:  map[string]string{"ONLINE_RESIZE_FS": "OK"},
		},
		Trigger: manifest.Trigger{
			Kind:      "event",
			Source:    "ecs:Image:StateChange",
			ID:        "72a8bfec-c05e-4c22-a96b-f96800000001",
			Time:      &event,
			RequestID: "1-65f0a0a0-00000001",
		},
		Attempts: []manifest.Attempt{{
			Number: 1, StartedAt: at(2), EndedAt: &ended, Outcome: manifest.Finished,
			TaskID: "t-bp1c0ffee0000000001", RequestID: "C8B26B44-0189-443E-9816-D951F5960001",
		}},
		Task: &manifest.Task{ID: "t-bp1c0ffee0000000001", Status: "Finished", RecordedAt: at(2), FinishedAt: &ended},
		Objects: []manifest.Object{
			{
				Bucket: "golden-images", Key: "nightly_m-bp1g7004ksh0oeuc0001_system.qcow2", Role: "system", Size: 2147483648,
				CRC64: "9548687815775124833", ETag: "5B3C1A2E053D763E1B002CC607C5A0FE-16", StorageClass: "Standard",
				LastModified: at(40), Content: "qcow2",
			},
			{
				Bucket: "golden-images", Key: "nightly_m-bp1g7004ksh0oeuc0001_data_xvdb.qcow2", Role: "data", Device: "xvdb",
				Size: 1073741824, CRC64: "11051210869376104954", ETag: "6A204BD89F3C8348AFD5C77C717A0973-8",
				StorageClass: "Standard", LastModified: at(41), Content: "qcow2",
			},
		},
		Verification: &manifest.Verification{VerifiedAt: at(45), Objects: 2, Bytes: 3221225472},
	}
}

// What other tools read must not change by accident.
func TestGoldenManifest(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile(filepath.Join(goldenFolder, "exported-two-disks.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := manifest.Encode(exported())
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("the manifest is written as\n%s\nwant\n%s", got, want)
	}
	m, err := manifest.Decode(want)
	if err != nil || !reflect.DeepEqual(m, exported()) {
		t.Errorf("the golden manifest is read as %+v (%v)", m, err)
	}
}

// Whatever was once written stays readable and valid.
func TestGoldenManifestsStayReadable(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(goldenFolder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("golden manifests are %q (%v)", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := manifest.Decode(data); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if err := manifesttest.Validate(data); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// The schema refuses what would break a promise to the readers of manifests.
func TestSchemaRequirements(t *testing.T) {
	t.Parallel()
	at := start
	explained := func(m *manifest.Manifest) { m.Reason, m.Remedy = "image-windows", "Nothing can be done." }
	as := func(state manifest.State, changes ...func(*manifest.Manifest)) func(*manifest.Manifest) {
		return func(m *manifest.Manifest) {
			m.State, m.Objects, m.Verification, m.Task = state, nil, nil, nil
			for _, change := range changes {
				change(m)
			}
		}
	}
	due := func(m *manifest.Manifest) { m.DueAt = &at }
	leased := func(m *manifest.Manifest) { m.Lease = &manifest.Lease{Until: at} }
	running := func(m *manifest.Manifest) { m.Task = &manifest.Task{ID: "t-1", RecordedAt: at} }
	for name, c := range map[string]struct {
		change func(*manifest.Manifest)
		valid  bool
	}{
		"exported":                       {func(*manifest.Manifest) {}, true},
		"exported without objects":       {func(m *manifest.Manifest) { m.Objects = nil }, false},
		"exported without a system disk": {func(m *manifest.Manifest) { m.Objects = m.Objects[1:] }, false},
		"exported without verification":  {func(m *manifest.Manifest) { m.Verification = nil }, false},
		"exported without task":          {func(m *manifest.Manifest) { m.Task = nil }, false},
		"exported with a reason":         {explained, false},
		"exported and due":               {due, false},
		"an empty object":                {func(m *manifest.Manifest) { m.Objects[0].Size = 0 }, false},
		"unknown content":                {func(m *manifest.Manifest) { m.Objects[0].Content = "zip" }, false},

		"submitting":                 {as(manifest.Submitting, due, leased), true},
		"submitting without lease":   {as(manifest.Submitting, due), false},
		"submitting without dueAt":   {as(manifest.Submitting, leased), false},
		"submitting with a task":     {as(manifest.Submitting, due, leased, running), false},
		"queued":                     {as(manifest.Queued, due, explained), true},
		"queued without reason":      {as(manifest.Queued, due), false},
		"queued without dueAt":       {as(manifest.Queued, explained), false},
		"queued with a lease":        {as(manifest.Queued, due, explained, leased), false},
		"exporting":                  {as(manifest.Exporting, running), true},
		"exporting without task":     {as(manifest.Exporting), false},
		"exporting with a reason":    {as(manifest.Exporting, running, explained), false},
		"skipped":                    {as(manifest.Skipped, explained), true},
		"skipped without reason":     {as(manifest.Skipped), false},
		"skipped without remedy":     {as(manifest.Skipped, func(m *manifest.Manifest) { m.Reason = "image-windows" }), false},
		"failed":                     {as(manifest.Failed, explained, running), true},
		"failed without reason":      {as(manifest.Failed, running), false},
		"failed with objects":        {func(m *manifest.Manifest) { m.State = manifest.Failed; explained(m) }, false},
		"cancelled":                  {as(manifest.Cancelled, explained), true},
		"cancelled without reason":   {as(manifest.Cancelled), false},
		"an unknown state":           {as("lost", explained), false},
		"another schema":             {func(m *manifest.Manifest) { m.Schema = "imageferry.manifest/v2" }, false},
		"revision 0":                 {func(m *manifest.Manifest) { m.Revision = 0 }, false},
		"a reason that is no code":   {as(manifest.Skipped, explained, func(m *manifest.Manifest) { m.Reason = "Image_Windows" }), false},
		"no writer":                  {func(m *manifest.Manifest) { m.Writer = "" }, false},
		"no image id":                {func(m *manifest.Manifest) { m.Image.ID = "" }, false},
		"an unknown format":          {func(m *manifest.Manifest) { m.Destination.Format = "iso" }, false},
		"a prefix with a slash":      {func(m *manifest.Manifest) { m.Destination.Prefix = "a/b" }, false},
		"an unknown trigger":         {func(m *manifest.Manifest) { m.Trigger.Kind = "mail" }, false},
		"an unknown outcome":         {func(m *manifest.Manifest) { m.Attempts[0].Outcome = "won" }, false},
		"a time that is not in UTC":  {func(m *manifest.Manifest) { m.UpdatedAt = at.In(time.FixedZone("", 8*3600)) }, false},
		"more attempts than is kept": {func(m *manifest.Manifest) { m.Attempts = slices.Repeat(m.Attempts, 21) }, false},
	} {
		m := exported()
		c.change(m)
		data, err := manifest.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := manifesttest.Validate(data); (err == nil) != c.valid {
			t.Errorf("%s: valid is %v, want %v: %v", name, err == nil, c.valid, err)
		}
	}
	data, err := manifest.Encode(exported())
	if err != nil {
		t.Fatal(err)
	}
	unknown := strings.Replace(string(data), `"revision"`, `"colour": "red", "revision"`, 1)
	if manifesttest.Validate([]byte(unknown)) == nil {
		t.Error("a field that nobody writes is valid")
	}
}

// The schema and the type have the same fields, required where they are always written.
func TestSchemaDescribesTheType(t *testing.T) {
	t.Parallel()
	var root map[string]any
	if err := json.Unmarshal(manifest.Schema(), &root); err != nil {
		t.Fatal(err)
	}
	compare(t, "manifest", reflect.TypeFor[manifest.Manifest](), root, root)
}

func compare(t *testing.T, where string, typ reflect.Type, node, root map[string]any) {
	t.Helper()
	if ref, ok := node["$ref"].(string); ok {
		node = root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch {
	case typ.Kind() == reflect.Slice:
		compare(t, where+"[]", typ.Elem(), node["items"].(map[string]any), root)
		return
	case typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]():
		return
	}
	if node["additionalProperties"] != false {
		t.Errorf("%s allows fields that nobody writes", where)
	}
	properties := node["properties"].(map[string]any)
	var names, required []string
	for field := range typ.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
		if options != "omitempty" {
			required = append(required, name)
		}
		if property, ok := properties[name].(map[string]any); ok {
			compare(t, where+"."+name, field.Type, property, root)
		}
	}
	slices.Sort(names)
	if described := slices.Sorted(maps.Keys(properties)); !slices.Equal(described, names) {
		t.Errorf("%s has the fields %q, the schema describes %q", where, names, described)
	}
	var demanded []string
	for _, name := range node["required"].([]any) {
		demanded = append(demanded, name.(string))
	}
	slices.Sort(required)
	slices.Sort(demanded)
	if !slices.Equal(demanded, required) {
		t.Errorf("%s always has %q, the schema requires %q", where, required, demanded)
	}
}
