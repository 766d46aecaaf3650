package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/restore"
)

const copiesBucket = "my-copies"

// abroad is another region of the stage's cloud, as the same account sees it, with a bucket for copies there.
func (s *stage) abroad(t *testing.T) (*stage, *localcloud.Place) {
	t.Helper()
	place, err := s.AddPlace("cn-beijing", s.Directory.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.OSS.CreateBucket(ossd.BucketSpec{Name: copiesBucket, Region: place.Region}); err != nil {
		t.Fatal(err)
	}
	c, err := listenControl(func(url string) readyLine {
		return readyLine{
			Ready: true, Region: place.Region, AccountID: s.Directory.ID(), Bucket: testBucket, ManifestBucket: testBucket, ManifestPrefix: "imageferry/",
			ECSEndpoint: place.ECSEndpoint, OSSEndpoint: "http://" + place.OSSEndpoint, STSEndpoint: s.Endpoints.STS, RAMEndpoint: s.Endpoints.RAM,
			AccessKeyID: s.Administrator.AccessKeyID, AccessKeySecret: s.Administrator.Secret, ControlURL: url,
			Environment: map[string]string{"FERRY_BUCKET": testBucket, "FERRY_RETRY_DELAY": "50ms", "FERRY_CLOCK_SKEW": "100ms"},
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return &stage{Cloud: s.Cloud, url: c.url, secrets: s.secrets}, place
}

type planned struct {
	Plan restore.Plan `json:"plan"`
}

func (p planned) reasons() (codes []string) {
	for _, problem := range p.Plan.Problems {
		codes = append(codes, problem.Reason)
	}
	return codes
}

// TestRestoreIntoAnotherRegion is the whole way of a person: refused, told what to copy, refused with a copy that is not the object,
// and restored with one that is.
func TestRestoreIntoAnotherRegion(t *testing.T) {
	t.Parallel()
	s := newStage(t, withImportRole)
	id, disks := s.exportedImage(t, "web-01", 2)
	file := filepath.Join(t.TempDir(), "manifest.json")
	var shown struct {
		Export json.RawMessage `json:"export"`
	}
	if err := json.Unmarshal([]byte(s.wantRun(t, exitOK, "show", id, "--json").out), &shown); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, shown.Export, 0o600); err != nil {
		t.Fatal(err)
	}
	there, place := s.abroad(t)

	// The journal of the exports is out of reach from there.
	for _, args := range [][]string{{"restore", id}, {"restore", "--rehearse"}, {"restore", file, "--cancel"}} {
		r := there.wantRun(t, exitUsage, args...)
		for _, want := range []string{"journal-in-another-region", "is in " + s.Region, "--bucket", "--objects-bucket", "show IMAGE --json"} {
			if !strings.Contains(r.err, want) {
				t.Errorf("%q does not tell %q: %s", args, want, r.err)
			}
		}
	}
	r := there.wantRun(t, exitUnmet, "restore", file)
	for _, want := range []string{"problem: journal-in-another-region", "problem: objects-in-another-region", "copy oss://" + testBucket + "/", "in " + s.Region, "<bucket in cn-beijing>"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("without a bucket there it does not tell %q: %s", want, r.out)
		}
	}

	// With a bucket there, the dry run, the real one and JSON list each object and how to copy it.
	args := []string{"restore", file, "--bucket", copiesBucket, "--manifest-bucket", copiesBucket}
	p := decode[planned](t, there.wantRun(t, exitUnmet, append(args, "--json")...))
	if len(p.Plan.Transfers) != 2 || slices.ContainsFunc(p.reasons(), func(code string) bool { return code != "objects-in-another-region" }) {
		t.Fatalf("problems %+v, transfers %+v", p.Plan.Problems, p.Plan.Transfers)
	}
	for _, r := range []run{there.wantRun(t, exitUnmet, args...), there.wantRun(t, exitUnmet, append(args, "--dry-run")...)} {
		for _, moved := range p.Plan.Transfers {
			source, ok := s.OSS.Content(testBucket, moved.From.Key)
			if !ok || moved.Size != source.Size() || moved.From.Region != s.Region || moved.From.Bucket != testBucket || moved.To != (restore.Place{Region: place.Region, Bucket: copiesBucket, Key: moved.From.Key}) {
				t.Errorf("transfer %+v", moved)
			}
			if moved.Command == "" || !strings.Contains(r.out, "  "+moved.Command+"\n") {
				t.Errorf("no line %q in %s", moved.Command, r.out)
			}
		}
	}

	// A copy with other bytes is no copy.
	for i, moved := range p.Plan.Transfers {
		source, _ := s.OSS.Content(testBucket, moved.From.Key)
		data := source.Bytes()
		if i == 0 {
			data = append([]byte{}, data...)
			data[len(data)-1] ^= 1
		}
		s.copyTo(t, place, moved.To.Key, data)
	}
	if got := decode[planned](t, there.wantRun(t, exitUnmet, append(args, "--json")...)); !slices.Equal(got.reasons(), []string{"object-changed"}) || len(got.Plan.Transfers) != 1 {
		t.Errorf("with a changed copy: %+v, %+v", got.Plan.Problems, got.Plan.Transfers)
	}
	source, _ := s.OSS.Content(testBucket, p.Plan.Transfers[0].From.Key)
	s.copyTo(t, place, p.Plan.Transfers[0].To.Key, source.Bytes())

	record := decode[restored](t, there.wantRun(t, exitOK, append(args, "--wait", "--interval", "10ms", "--timeout", "20s", "--json")...)).Restore
	if record.State != restore.Restored || record.Region != place.Region {
		t.Fatalf("%s in %s: %s", record.State, record.Region, record.Detail)
	}
	for device, want := range disks {
		if got, ok := place.ECS.DiskContent(record.Image.ID, device); !ok || !content.Equal(got, want) {
			t.Errorf("%s has other bytes (found %t)", device, ok)
		}
	}
}

// copyTo does what the printed command does.
func (s *stage) copyTo(t *testing.T, place *localcloud.Place, key string, data []byte) {
	t.Helper()
	session := s.administrator(t, place.Region, place.ECSEndpoint, place.OSSEndpoint)
	if err := session.OSS.Store(copiesBucket).Put(t.Context(), key, data); err != nil {
		t.Fatal(err)
	}
}
