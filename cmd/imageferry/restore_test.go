package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"imageferry/internal/alicloud"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// restored is what restore --json prints.
type restored struct {
	Restore *restore.Record `json:"restore"`
}

// exportedImage makes an image of so many disks, exports it, and takes a copy of its disks.
func (s *stage) exportedImage(t *testing.T, name string, disks int) (id string, contents map[string]content.Content) {
	t.Helper()
	image := ecsd.Image{Name: name, Description: "made for a test", Family: "golden", BootMode: "UEFI-Preferred", Tags: map[string]string{"team": "red"}}
	for i := range disks {
		disk := ecsd.Disk{Device: "/dev/xvd" + string(rune('a'+i)), Type: "data", SizeGiB: 1, Content: ecsd.SampleDisk(name+string(rune('a'+i)), 1<<30)}
		if i == 0 {
			disk.Type = "system"
		}
		image.Disks = append(image.Disks, disk)
	}
	id = s.ECS.AddImage(image)
	s.wantRun(t, exitOK, "submit", id, "--wait", "--interval", "10ms", "--timeout", "20s")
	contents = map[string]content.Content{}
	for _, d := range image.Disks {
		c, ok := s.ECS.DiskContent(id, d.Device)
		if !ok {
			t.Fatalf("%s has no %s", id, d.Device)
		}
		contents[d.Device] = c
	}
	return id, contents
}

func withImportRole(o *localcloud.Options, _ map[string]string) { o.ImportRole = true }

// checkDisks compares every disk of an image, byte for byte.
func (s *stage) checkDisks(t *testing.T, id string, want map[string]content.Content) {
	t.Helper()
	for device, c := range want {
		got, ok := s.ECS.DiskContent(id, device)
		if !ok || !content.Equal(got, c) {
			t.Errorf("%s of %s has other bytes (found %t)", device, id, ok)
		}
	}
}

// administrator has every right in a region.
func (s *stage) administrator(t *testing.T, region, ecs, oss string) *alicloud.Session {
	t.Helper()
	session, err := alicloud.Open(alicloud.Options{
		Region:      region,
		Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: s.Administrator.AccessKeyID, AccessKeySecret: s.Administrator.Secret}),
		ECSEndpoint: "http://" + ecs, OSSEndpoint: "http://" + oss, HTTP: http.DefaultTransport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func (s *stage) deleteImage(t *testing.T, id string) {
	t.Helper()
	if err := s.administrator(t, s.Region, s.Endpoints.ECS, s.Endpoints.OSS).ECS.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// put writes an object, over whatever is there.
func (s *stage) put(t *testing.T, bucket, key string, data []byte) {
	t.Helper()
	if err := s.administrator(t, s.Region, s.Endpoints.ECS, s.Endpoints.OSS).OSS.Store(bucket).Put(t.Context(), key, data); err != nil {
		t.Fatal(err)
	}
}

// checkClean finds nothing of a restore in the bucket.
func (s *stage) checkClean(t *testing.T) {
	t.Helper()
	for _, key := range s.OSS.Keys(testBucket) {
		if strings.HasPrefix(key, "imageferry/restore/") {
			t.Errorf("%s was left behind", key)
		}
	}
	if uploads := s.OSS.Uploads(testBucket); len(uploads) > 0 {
		t.Errorf("uploads were left behind: %+v", uploads)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		disks  int
		format string
	}{"one archive": {1, "raw"}, "three archives": {3, "raw"}, "one QCOW2": {1, "qcow2"}, "three QCOW2": {3, "qcow2"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, withImportRole, func(o *localcloud.Options, env map[string]string) {
				o.Region, env["FERRY_FORMAT"] = "ap-southeast-1", c.format // a region that exports every format
			})
			id, disks := s.exportedImage(t, "web-01", c.disks)
			dry := s.wantRun(t, exitUnmet, "restore", id, "--dry-run") // the name is taken as long as the image is there
			for _, want := range []string{"name", "web-01", "manifest", "default", "name-taken"} {
				if !strings.Contains(dry.out, want) {
					t.Errorf("the plan lacks %q:\n%s", want, dry.out)
				}
			}
			s.deleteImage(t, id)
			record := decode[restored](t, s.wantRun(t, exitOK, "restore", id, "--wait", "--interval", "10ms", "--timeout", "20s", "--json")).Restore
			if record.State != restore.Restored || record.Name != "web-01" || len(record.Verification.Differences()) > 0 {
				t.Errorf("%s %s %s: %+v", record.State, record.Reason, record.Detail, record.Verification)
			}
			s.checkDisks(t, record.Image.ID, disks)
			s.checkClean(t)
			if out := s.wantRun(t, exitOK, "list", "--restores").out; !strings.Contains(out, "web-01") || !strings.Contains(out, "restored") {
				t.Errorf("list printed %s", out)
			}
			if out := s.wantRun(t, exitOK, "show", id).out; !strings.Contains(out, "Restores") || !strings.Contains(out, record.Image.ID) {
				t.Errorf("show printed %s", out)
			}
			// What is restored stays as it is.
			again := decode[restored](t, s.wantRun(t, exitOK, "restore", id, "--json")).Restore
			if again.Revision != record.Revision {
				t.Errorf("it was restored again: %+v", again)
			}
		})
	}
}

// TestRestoreFrom reads the manifest from everywhere, with the account's own journal gone.
func TestRestoreFrom(t *testing.T) {
	t.Parallel()
	s := newStage(t, withImportRole)
	id, disks := s.exportedImage(t, "web-01", 1)
	key := "imageferry/manifests/" + s.Region + "/" + testBucket + "/-/raw/" + id + ".json"
	stored, ok := s.OSS.Content(testBucket, key)
	if !ok {
		t.Fatalf("no %s", key)
	}
	data := stored.Bytes()
	file := filepath.Join(t.TempDir(), "manifest.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("Signature") != "secret" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(web.Close)
	for name, from := range map[string]string{
		"file": file, "url": web.URL + "/m.json?Signature=secret", "oss": "oss://" + testBucket + "/" + key, "input": "-",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"restore", from, "--name", "from-" + name, "--wait", "--interval", "10ms", "--timeout", "20s", "--json"}
			r := s.runAs(t, t.Context(), func(a *app) { a.in = strings.NewReader(string(data)) }, args...)
			r.want(t, exitOK, args)
			s.checkDisks(t, decode[restored](t, r).Restore.Image.ID, disks)
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		for from, want := range map[string]string{
			web.URL + "/m.json?Signature=wrong": "403", "oss://" + testBucket + "/none": "not found", "oss://" + testBucket: "oss://bucket/key",
			"http://example.com/m.json": "loopback", filepath.Join(t.TempDir(), "none"): "no such file", "m-unknown1": "m-unknown1",
		} {
			r := s.run(t, "restore", from)
			if r.code == exitOK || !strings.Contains(r.err, want) || strings.Contains(r.err, "Signature") {
				t.Errorf("%s: exit status %d, %s", from, r.code, r.err)
			}
		}
	})
}

func TestRehearse(t *testing.T) {
	t.Parallel()
	s := newStage(t, withImportRole)
	s.wantRun(t, exitError, "restore", "--rehearse")
	id, _ := s.exportedImage(t, "web-01", 2)
	for _, args := range [][]string{{id}, {"random"}, nil} {
		args = append([]string{"restore", "--rehearse", "--interval", "10ms", "--timeout", "20s", "--json"}, args...)
		record := decode[restored](t, s.wantRun(t, exitOK, args...)).Restore
		if record.State != restore.Rehearsed || len(record.Verification.Facts) == 0 {
			t.Errorf("%s %s %s", record.State, record.Reason, record.Detail)
		}
		if _, there := s.ECS.Image(record.Image.ID); there {
			t.Errorf("the image of the rehearsal is still there")
		}
	}
	s.checkClean(t)
	if out := s.wantRun(t, exitOK, "show", id).out; !strings.Contains(out, "last proven restorable") {
		t.Errorf("show printed %s", out)
	}
	if _, there := s.ECS.Image(id); !there {
		t.Error("the exported image is gone")
	}
}

// TestRestoreWithoutRole: what somebody has to repair is told, kept, and gone on with afterwards.
func TestRestoreWithoutRole(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	id, disks := s.exportedImage(t, "web-01", 1)
	r := s.wantRun(t, exitUnmet, "restore", id, "--name", "copy")
	if !strings.Contains(r.out, "import-role-missing") || !strings.Contains(r.out, "AliyunECSImageImportDefaultRole") {
		t.Errorf("printed %s", r.out)
	}
	s.PutImportRole()
	record := decode[restored](t, s.wantRun(t, exitOK, "restore", id, "--name", "copy", "--wait", "--interval", "10ms", "--timeout", "20s", "--json")).Restore
	s.checkDisks(t, record.Image.ID, disks)
	s.checkClean(t)
}

// TestRestoreElsewhere: objects in another region are not copied by OSS, so the plan says what has to be.
func TestRestoreElsewhere(t *testing.T) {
	t.Parallel()
	s := newStage(t, withImportRole)
	id, _ := s.exportedImage(t, "web-01", 1)
	data, _ := s.OSS.Content(testBucket, "imageferry/manifests/"+s.Region+"/"+testBucket+"/-/raw/"+id+".json")
	var m manifest.Manifest
	if err := json.Unmarshal(data.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	m.Destination.Region = "cn-beijing"
	there, err := manifest.Encode(&m)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"restore", "-", "--dry-run"}
	r := s.runAs(t, t.Context(), func(a *app) { a.in = strings.NewReader(string(there)) }, args...)
	r.want(t, exitUnmet, args)
	if !strings.Contains(r.out, "objects-in-another-region") || !strings.Contains(r.out, "copy oss://"+testBucket+"/"+m.Objects[0].Key) {
		t.Errorf("printed %s", r.out)
	}
}

func TestRestoreUsage(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, args := range [][]string{
		nil, {"a", "b"}, {"random"}, {"--rehearse", "--name", "x", "m-1"}, {"--timeout", "1s", "m-1"}, {"--rehearse", "--keep-temporary"},
	} {
		if r := s.run(t, append([]string{"restore"}, args...)...); r.code != exitUsage {
			t.Errorf("%q: exit status %d: %s", args, r.code, r.err)
		}
	}
	if !slices.Contains([]int{exitError, exitUsage}, s.run(t, "restore", "m-none", "--cancel").code) {
		t.Error("cancelling what is not there went well")
	}
}

// TestRestoreIsTold: a restore that has not ended stands below the exports; a rehearsal that failed is recorded, and everything that
// tells of rehearsals tells of it, with what was proven before.
func TestRestoreIsTold(t *testing.T) {
	t.Parallel()
	s := newStage(t, withImportRole)
	id, _ := s.exportedImage(t, "web-01", 1)
	if out := s.wantRun(t, exitOK, "list").out; strings.Contains(out, "Restores") {
		t.Errorf("without restores list printed %s", out)
	}
	s.wantRun(t, exitOK, "restore", "--rehearse", id, "--interval", "10ms", "--timeout", "20s")
	s.Directory.DeleteRole(localcloud.ImportRole)
	r := s.wantRun(t, exitUnmet, "restore", id, "--name", "copy")
	if !strings.Contains(r.err, "queued import-role-missing: Create the role") {
		t.Errorf("the line has no remedy: %s", r.err)
	}
	for args, want := range map[string]string{
		"list": "\nRestores at work:\nNAME", "list --restores": "copy", "show " + id: "import-role-missing: Create the role", "report": "proven restorable",
	} {
		if out := s.wantRun(t, exitOK, strings.Fields(args)...).out; !strings.Contains(out, want) {
			t.Errorf("%s does not tell %q: %s", args, want, out)
		}
	}

	m := decode[story](t, s.wantRun(t, exitOK, "show", id, "--json")).Export
	s.put(t, testBucket, m.Objects[0].Key, []byte("not what was exported"))
	record := decode[restored](t, s.wantRun(t, exitUnmet, "restore", "--rehearse", id, "--interval", "10ms", "--timeout", "20s", "--json")).Restore
	if record.State != restore.Failed || record.Reason != "object-changed" {
		t.Fatalf("%s %s %s", record.State, record.Reason, record.Detail)
	}
	for args, wants := range map[string][]string{
		"list --restores": {"object-changed"}, "show " + id: {"last proven restorable", "the last one failed", "object-changed"},
		"report": {"proven restorable", "last rehearsal failed: object-changed"},
	} {
		out := s.wantRun(t, exitOK, strings.Fields(args)...).out
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not tell %q: %s", args, want, out)
			}
		}
	}
	s.wantRun(t, exitUnmet, "report", "--require-rehearsal", "1d")
}
