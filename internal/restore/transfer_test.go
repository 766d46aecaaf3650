package restore

import (
	"slices"
	"testing"

	"imageferry/internal/manifest"
)

func reasonsOf(p *Plan) []string {
	var codes []string
	for _, problem := range p.Problems {
		codes = append(codes, problem.Reason)
	}
	return codes
}

// TestTransfers: what has to be copied from another region, or to another bucket, the plan lists, object by object; what is there
// already, with the right size and checksum, it does not.
func TestTransfers(t *testing.T) {
	t.Parallel()
	type buckets struct{ flag, configured string }
	abroad := func(_ *world, m *manifest.Manifest) {
		m.Destination.Region, m.Destination.Bucket = "cn-beijing", "exports"
		for i := range m.Objects {
			m.Objects[i].Bucket = "exports"
		}
	}
	for name, c := range map[string]struct {
		in       buckets
		change   func(*world, *manifest.Manifest)
		problems []string
		moves    int
		to       string
	}{
		"at home":                    {},
		"no bucket is named":         {change: abroad, problems: []string{objectsElsewhere}, moves: 2},
		"the bucket of the exports":  {buckets{configured: "exports"}, abroad, []string{objectsElsewhere}, 2, ""},
		"all are there":              {in: buckets{configured: golden}, change: abroad},
		"all are there, by the flag": {in: buckets{flag: golden, configured: "none"}, change: abroad},
		"one is missing": {buckets{flag: golden}, func(w *world, m *manifest.Manifest) {
			abroad(w, m)
			m.Objects[0].Key = "another"
		}, []string{objectsElsewhere}, 1, golden},
		"one is too short": {buckets{flag: golden}, func(w *world, m *manifest.Manifest) {
			abroad(w, m)
			m.Objects[0].Size++
		}, []string{objectChanged}, 1, golden},
		"one has other bytes": {buckets{flag: golden}, func(w *world, m *manifest.Manifest) {
			abroad(w, m)
			m.Objects[1].CRC64 = "1"
		}, []string{objectChanged}, 1, golden},
		"there is no such bucket": {buckets{flag: "none"}, abroad, []string{bucketMissing}, 2, "none"},
		"its bucket is elsewhere, too": {buckets{flag: golden}, func(w *world, m *manifest.Manifest) {
			abroad(w, m)
			w.bucket.Location = "oss-cn-shanghai"
		}, []string{objectsElsewhere}, 2, ""},
		"an encrypted bucket": {buckets{}, func(w *world, _ *manifest.Manifest) { w.bucket.SSEAlgorithm = "AES256" }, []string{bucketEncrypted}, 2, ""},
		"a foreign bucket":    {buckets{}, func(w *world, _ *manifest.Manifest) { w.bucket.OwnerID = "2" }, []string{bucketForeign}, 2, ""},
		"lost at home":        {buckets{}, func(_ *world, m *manifest.Manifest) { m.Objects[0].Key = "gone" }, []string{objectMissing}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := w.exported(2, "raw")
			if c.change != nil {
				c.change(w, m)
			}
			r := w.restorer()
			r.settings.CopiesBucket = c.in.configured
			p := r.Plan(m, Options{ObjectsBucket: c.in.flag})
			r.Check(t.Context(), p)
			if got := reasonsOf(p); !slices.Equal(got, c.problems) || len(p.Transfers) != c.moves {
				t.Fatalf("problems %+v, transfers %+v", p.Problems, p.Transfers)
			}
			for _, moved := range p.Transfers {
				o := m.Objects[slices.IndexFunc(m.Objects, func(o manifest.Object) bool { return o.Key == moved.From.Key })]
				want := Transfer{
					From: Place{m.Destination.Region, o.Bucket, o.Key}, To: Place{region, c.to, o.Key}, Size: o.Size, CRC64: o.CRC64, Command: moved.Command,
				}
				if moved != want || (moved.Command == "") != (c.to == "") {
					t.Errorf("transfer %+v, want %+v", moved, want)
				}
			}
			if len(p.Problems) == 0 && p.abroad() && p.Request.Disks[0].Bucket != golden {
				t.Errorf("the import is of %+v", p.Request.Disks)
			}
		})
	}
}

// TestTransferCommand: OSS copies within a region and an account alone. What a manifest brings stays one word of the shell.
func TestTransferCommand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from, to Place
		size     int64
		foreign  bool
		want     string
	}{
		"within a region": {Place{"cn-a", "x", "k"}, Place{"cn-a", "y", "k"}, 1 << 40, false, "ossutil cp oss://x/k oss://y/k --region cn-a"},
		"another account": {Place{"cn-a", "x", "k"}, Place{"cn-a", "y", "k"}, 1, true, "ossutil cp oss://x/k - --region cn-a | ossutil cp - oss://y/k --region cn-a"},
		"another region": {Place{"cn-a", "x", "k.raw.tar.gz"}, Place{"cn-b", "y", "k.raw.tar.gz"}, 16 << 30, false,
			"ossutil cp oss://x/k.raw.tar.gz - --region cn-a | ossutil cp - oss://y/k.raw.tar.gz --region cn-b"},
		"large": {Place{"cn-a", "x", "k"}, Place{"cn-b", "y", "k"}, 2 << 40, false,
			"ossutil cp oss://x/k - --region cn-a | ossutil cp - oss://y/k --region cn-b --part-size 234M"},
		"hostile":        {Place{"cn-a", "x", "k'; rm -rf ~"}, Place{"cn-a", "y", "k"}, 1, false, `ossutil cp 'oss://x/k'\''; rm -rf ~' oss://y/k --region cn-a`},
		"not to be seen": {Place{"cn-a", "x", "k\n\u202e"}, Place{"cn-a", "y", "k"}, 1, false, ""},
		"no bucket yet":  {Place{"cn-a", "x", "k"}, Place{"cn-b", "", "k"}, 1, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (Transfer{From: c.from, To: c.to, Size: c.size}).command(c.foreign); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}
