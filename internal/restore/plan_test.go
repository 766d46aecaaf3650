package restore

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// planned is a plan of a change to a manifest.
func planned(t *testing.T, o Options, change func(*manifest.Manifest)) *Plan {
	t.Helper()
	w := newWorld(t)
	m := w.exported(2, "raw")
	change(m)
	return w.restorer().Plan(m, o)
}

func (p *Plan) from(name string) (value, from string) {
	for _, v := range p.Values {
		if v.Name == name {
			return v.Value, v.From
		}
	}
	return "", ""
}

func TestPlanValues(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options          Options
		change           func(*manifest.Manifest)
		what, value, src string
		warns            string
	}{
		"name of the manifest": {what: "name", value: "web-01", src: fromManifest},
		"name by flag":         {options: Options{Name: "web-02"}, what: "name", value: "web-02", src: fromFlag},
		"rehearsal":            {options: Options{Rehearsal: true}, what: "name", value: "imageferry-rehearsal-m-golden", src: fromDefault},
		"platform":             {change: func(m *manifest.Manifest) { m.Image.Platform = "centos stream" }, what: "platform", value: "CentOS Stream", src: fromManifest},
		"newer platform":       {change: func(m *manifest.Manifest) { m.Image.Platform = "HarmonyOS" }, what: "platform", value: "Others Linux", src: fromDefault, warns: "HarmonyOS"},
		"no platform":          {change: func(m *manifest.Manifest) { m.Image.Platform = "" }, what: "platform", value: "Others Linux", src: fromDefault},
		"arm64":                {change: func(m *manifest.Manifest) { m.Image.Architecture, m.Image.BootMode = "arm64", "" }, what: "bootMode", value: "UEFI", src: fromDefault},
		"arm64 with BIOS":      {change: func(m *manifest.Manifest) { m.Image.Architecture, m.Image.BootMode = "arm64", "BIOS" }, what: "bootMode", value: "UEFI", src: fromDefault, warns: "BIOS"},
		"new architecture":     {change: func(m *manifest.Manifest) { m.Image.Architecture = "riscv64" }, what: "architecture", value: "x86_64", src: fromDefault, warns: "riscv64"},
		"no NVMe":              {change: func(m *manifest.Manifest) { m.Image.NvmeSupport = "" }, what: "nvmeSupport", value: "unsupported", src: fromDefault},
		"role":                 {what: "role", value: DefaultRole, src: fromDefault},
		"resource group":       {change: func(m *manifest.Manifest) { m.Image.ResourceGroupID = "rg-1" }, what: "resourceGroup", value: "rg-1", src: fromManifest},
		"foreign resource group": {change: func(m *manifest.Manifest) { m.Image.ResourceGroupID, m.Image.AccountID = "rg-1", "2" }, what: "resourceGroup",
			value: DefaultGroup, src: fromDefault, warns: "account 2"},
		"bad description": {change: func(m *manifest.Manifest) { m.Image.Description = "https://x" }, what: "description", warns: "description"},
		"version":         {what: "tag " + TagVersion, value: "7", src: fromManifest, warns: "version"},
		"system tag":      {what: "tag acs:rm"},
		"family":          {what: "imageFamily", value: "web", src: fromManifest},
		"objects bucket":  {options: Options{ObjectsBucket: "copies"}, what: "bucket", value: "copies", src: fromFlag},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.change == nil {
				c.change = func(*manifest.Manifest) {}
			}
			p := planned(t, c.options, c.change)
			if value, from := p.from(c.what); value != c.value || from != c.src {
				t.Errorf("%s is %q from %q, want %q from %q", c.what, value, from, c.value, c.src)
			}
			if len(p.Problems) > 0 {
				t.Errorf("problems %+v", p.Problems)
			}
			if c.warns != "" && !slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, c.warns) }) {
				t.Errorf("no warning about %s in %q", c.warns, p.Warnings)
			}
		})
	}
}

func TestPlanProblems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options Options
		change  func(*manifest.Manifest)
		reason  string
	}{
		"not exported":  {change: func(m *manifest.Manifest) { m.State = manifest.Failed }, reason: notExported},
		"no objects":    {change: func(m *manifest.Manifest) { m.Objects = nil }, reason: notExported},
		"strange id":    {change: func(m *manifest.Manifest) { m.Image.ID = "../m-1" }, reason: manifestUnusable},
		"name":          {options: Options{Name: "aliyun-x"}, reason: nameInvalid},
		"name as a key": {options: Options{Name: "a/../b"}, reason: nameInvalid},
		"VDI":           {change: func(m *manifest.Manifest) { m.Objects[0].Content = "vdi" }, reason: formatNotImportable},
		"two systems":   {change: func(m *manifest.Manifest) { m.Objects[0].Role, m.Objects[1].Role = "system", "system" }, reason: manifestUnusable},
		"a large disk":  {change: func(m *manifest.Manifest) { m.Image.Disks[0].SizeGiB = 4096 }, reason: imageSize},
		"elsewhere":     {change: func(m *manifest.Manifest) { m.Destination.Region = "cn-beijing" }, reason: objectsElsewhere},
		"too many": {change: func(m *manifest.Manifest) {
			for range 17 {
				m.Objects = append(m.Objects, m.Objects[0])
			}
		}, reason: tooManyDisks},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.change == nil {
				c.change = func(*manifest.Manifest) {}
			}
			p := planned(t, c.options, c.change)
			if !slices.ContainsFunc(p.Problems, func(q Problem) bool { return q.Reason == c.reason && q.Remedy != "" }) {
				t.Errorf("problems %+v, want %s", p.Problems, c.reason)
			}
		})
	}
}

// TestPlanDisks: the system disk first, then the data disks by their devices, whatever their order in the manifest.
func TestPlanDisks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.restorer().Plan(w.exported(4, "raw"), Options{})
	for i, d := range p.Disks {
		device := "/dev/xvd" + string(rune('a'+i))
		if d.Device != device || d.SizeGiB != 20+i || d.Work != Unpack || !strings.HasPrefix(d.Key, "imageferry/restore/") || !strings.HasSuffix(d.Key, ".raw") {
			t.Errorf("disk %d is %+v", i+1, d)
		}
		if m := p.Request.Disks[i]; m.Key != d.Key || m.Bucket != golden || m.Format != "RAW" {
			t.Errorf("mapping %d is %+v", i+1, m)
		}
	}
}

// TestPlanTags keeps to the API's limit, with the tags by which a restore knows its image before all others.
func TestPlanTags(t *testing.T) {
	t.Parallel()
	p := planned(t, Options{}, func(m *manifest.Manifest) {
		for i := range 30 {
			m.Image.Tags["k"+string(rune('A'+i))] = "v"
		}
		m.Image.Tags["aliyun-x"] = "v"
		m.Image.Tags[TagRestore] = "of another restore"
	})
	tags := p.Request.Tags
	if len(tags) != maxTags || tags[TagSource] != "m-golden" || tags[TagRestore] != p.id || tags["aliyun-x"] != "" {
		t.Errorf("tags %v", tags)
	}
}

func TestValidName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"ab": true, "镜像-1": true, "a.b:c_d-e": true, "a": false, "": false, "1a": false, "-a": false, "a b": false, "a/b": false,
		"aliyun": false, "Aliyun1": false, "acs:x": false, "xhttp://": false, "a\x00b": false, "é1": false,
		strings.Repeat("a", 128): true, strings.Repeat("a", 129): false, strings.Repeat("镜", 128): true,
	} {
		if ValidName(name) != want {
			t.Errorf("ValidName(%q) is %t", name, !want)
		}
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range Reasons() {
		if seen[r.Code] || r.Class == 0 || !strings.HasSuffix(r.Remedy, ".") || strings.ToLower(r.Code) != r.Code {
			t.Errorf("reason %+v, seen before: %t", r, seen[r.Code])
		}
		seen[r.Code] = true
	}
	answers := maps.Clone(codes)
	for _, code := range []string{"Throttling.User", "Forbidden.RAM", "SecurityTokenExpired", "InternalError"} {
		answers[code] = export.CommonReason(code)
	}
	for code, reason := range answers {
		if !seen[reason] {
			t.Errorf("%s stands for %q, which is no reason", code, reason)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"schema":"imageferry.restore/v1","revision":1,"state":"queued"}`))
	f.Add([]byte(`{"schema":"imageferry.restore/v2"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decode(data)
		if err != nil {
			return
		}
		again, err := encode(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(again); err != nil {
			t.Errorf("what was read cannot be read again: %v", err)
		}
	})
}
