package e2e

import (
	"encoding/json"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

// A stranger knows of imageferry only the line that `imageferry local --json` prints, and has Alibaba Cloud's own clients.
type stranger struct {
	ready  map[string]string
	ecs    *ecs.Client
	bucket *oss.Bucket
}

func newStranger(t *testing.T, line []byte) stranger {
	t.Helper()
	s := stranger{ready: map[string]string{}}
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		t.Fatalf("first line %q: %v", line, err)
	}
	for name, value := range fields {
		s.ready[name] = fmt.Sprint(value)
	}
	var err error
	s.ecs, err = ecs.NewClientWithOptions(s.ready["region"], sdk.NewConfig().WithScheme("HTTP"),
		credentials.NewAccessKeyCredential(s.ready["accessKeyId"], s.ready["accessKeySecret"]))
	if err != nil {
		t.Fatal(err)
	}
	s.ecs.Domain = s.ready["ecsEndpoint"]
	client, err := oss.New(s.ready["ossEndpoint"], s.ready["accessKeyId"], s.ready["accessKeySecret"],
		oss.AuthVersion(oss.AuthV4), oss.Region(s.ready["region"]))
	if err != nil {
		t.Fatal(err)
	}
	if s.bucket, err = client.Bucket(s.ready["bucket"]); err != nil {
		t.Fatal(err)
	}
	return s
}

// createImage makes an image of a system disk and a data disk.
func (s stranger) createImage(t *testing.T, name string) string {
	t.Helper()
	r := ecs.CreateCreateImageRequest()
	r.ImageName = name
	r.DiskDeviceMapping = &[]ecs.CreateImageDiskDeviceMapping{
		{SnapshotId: "s-bp1stranger00000000a", Size: "40", DiskType: "system"},
		{SnapshotId: "s-bp1stranger00000000b", Size: "20", DiskType: "data"},
	}
	answer, err := s.ecs.CreateImage(r)
	if err != nil {
		t.Fatal(err)
	}
	return answer.ImageId
}

// image is what ECS says of it.
func (s stranger) image(t *testing.T, id string) ecs.Image {
	t.Helper()
	r := ecs.CreateDescribeImagesRequest()
	r.ImageId = id
	r.Status = "Creating,Waiting,Available"
	answer, err := s.ecs.DescribeImages(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Images.Image) != 1 {
		t.Fatalf("DescribeImages finds %d images with the id", len(answer.Images.Image))
	}
	return answer.Images.Image[0]
}

// keys lists a prefix whose keys have a part in them.
func (s stranger) keys(t *testing.T, prefix, part string) []string {
	t.Helper()
	var keys []string
	for marker := ""; ; {
		page, err := s.bucket.ListObjectsV2(oss.Prefix(prefix), oss.StartAfter(marker), oss.MaxKeys(1000))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Objects {
			if strings.Contains(o.Key, part) {
				keys = append(keys, o.Key)
			}
			marker = o.Key
		}
		if !page.IsTruncated {
			return keys
		}
	}
}

func (s stranger) read(t *testing.T, key string) []byte {
	t.Helper()
	r, err := s.bucket.GetObject(key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// record is the part of a manifest that other tools rely on.
type record struct {
	Schema   string `json:"schema"`
	State    string `json:"state"`
	Revision int    `json:"revision"`
	Image    struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"image"`
	Objects []struct {
		Bucket string `json:"bucket"`
		Key    string `json:"key"`
		Role   string `json:"role"`
		Size   int64  `json:"size"`
		CRC64  string `json:"crc64"`
		ETag   string `json:"etag"`
	} `json:"objects"`
}

// exported waits until the image's manifest says that it is exported.
func (s stranger) exported(t *testing.T, imageID string) (r record) {
	t.Helper()
	poll(t, imageID+" is exported", func() bool {
		keys := s.keys(t, s.ready["manifestPrefix"]+"manifests/", imageID)
		if len(keys) != 1 {
			return false
		}
		if err := json.Unmarshal(s.read(t, keys[0]), &r); err != nil {
			t.Fatal(err)
		}
		return r.State == "exported"
	})
	return r
}

// poll asks again and again, as anybody has to who is told nothing: the cloud is in another process.
func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 3000 {
		if ok() {
			return
		}
		<-tick.C
	}
	t.Fatalf("not in time: %s", what)
}

// TestOrdinaryClients creates an image with the ECS SDK, and finds its objects and its manifest with the OSS SDK. Nothing of
// imageferry is called in between: the function in the child process does the rest by itself.
func TestOrdinaryClients(t *testing.T) {
	t.Parallel()
	p := startLocal(t, "--json", "--images", "0", "--speed", "2000")
	s := newStranger(t, p.firstLine(t))
	id := s.createImage(t, "made-by-a-stranger")
	if status := s.image(t, id).Status; status != "Creating" && status != "Available" {
		t.Errorf("the new image is %s", status)
	}
	m := s.exported(t, id)
	image := s.image(t, id)
	if m.Image.ID != id || m.Image.Name != image.ImageName || image.Status != "Available" || m.Revision < 3 {
		t.Errorf("manifest %+v of image %s %s", m, image.ImageName, image.Status)
	}
	var manifested []string
	roles := map[string]int{}
	for _, o := range m.Objects {
		manifested = append(manifested, o.Key)
		roles[o.Role]++
		s.checkObject(t, o.Key, o.Size, o.CRC64, o.ETag)
	}
	slices.Sort(manifested)
	if found := s.keys(t, "images_"+id, ""); !slices.Equal(found, manifested) || roles["system"] != 1 || roles["data"] != 1 {
		t.Errorf("the bucket has %q, the manifest %+v", found, m.Objects)
	}
	if revisions := s.keys(t, s.ready["manifestPrefix"]+"journal/", "/"+id+"/"); len(revisions) != m.Revision {
		t.Errorf("revision %d of %q", m.Revision, revisions)
	}
	p.signal(t, syscall.SIGINT)
	if status := p.exitStatus(t); status != 0 {
		t.Errorf("exit status %d after SIGINT: %s", status, p.errors())
	}
	p.checkGone(t)
	if _, err := http.Get(s.ready["ossEndpoint"]); err == nil {
		t.Error("OSS still answers")
	}
}

// checkObject compares what HEAD says with the manifest and with the content.
func (s stranger) checkObject(t *testing.T, key string, size int64, sum, etag string) {
	t.Helper()
	header, err := s.bucket.GetObjectDetailedMeta(key)
	if err != nil {
		t.Fatal(err)
	}
	data := s.read(t, key)
	actual := strconv.FormatUint(crc64.Checksum(data, crc64.MakeTable(crc64.ECMA)), 10)
	length := strconv.Itoa(len(data))
	if len(data) == 0 || header.Get("Content-Length") != length || strconv.FormatInt(size, 10) != length {
		t.Errorf("%s has %s bytes, HEAD says %s, the manifest %d", key, length, header.Get("Content-Length"), size)
	}
	if header.Get("X-Oss-Hash-Crc64ecma") != actual || sum != actual {
		t.Errorf("%s has the CRC-64 %s, HEAD says %s, the manifest %s", key, actual, header.Get("X-Oss-Hash-Crc64ecma"), sum)
	}
	if strings.Trim(header.Get("ETag"), `"`) != etag {
		t.Errorf("%s has the ETag %s, the manifest says %s", key, header.Get("ETag"), etag)
	}
}
