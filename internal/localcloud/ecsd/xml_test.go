package ecsd_test

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/openapi"
)

// xmlOf answers a call in XML, the protocol's default.
func (w *world) xmlOf(into any, pairs ...string) {
	w.t.Helper()
	v := url.Values{"Version": {"2014-05-26"}, "RegionId": {"cn-hangzhou"}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	openapi.SignRPC(http.MethodPost, v, w.caller, time.Now())
	recorder := httptest.NewRecorder()
	w.server.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/?"+v.Encode(), nil))
	if err := xml.Unmarshal(recorder.Body.Bytes(), into); err != nil {
		w.t.Fatalf("decode %s: %v", recorder.Body, err)
	}
}

func TestXML(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.AddImage(twoDisks("m-1"))
	var images struct {
		XMLName    xml.Name `xml:"DescribeImagesResponse"`
		TotalCount int
		Disks      []string `xml:"Images>Image>DiskDeviceMappings>DiskDeviceMapping>Device"`
	}
	w.xmlOf(&images, "Action", "DescribeImages")
	if images.TotalCount != 1 || len(images.Disks) != 2 || images.Disks[1] != "/dev/xvdb" {
		t.Errorf("images %+v", images)
	}
	var export struct {
		XMLName                     xml.Name `xml:"ExportImageResponse"`
		RequestId, TaskId, RegionId string
	}
	w.xmlOf(&export, "Action", "ExportImage", "ImageId", "m-1", "OSSBucket", "images")
	if export.TaskId == "" || export.RequestId == "" || export.RegionId != "cn-hangzhou" {
		t.Errorf("export %+v", export)
	}
	var task struct {
		XMLName xml.Name `xml:"DescribeTaskAttributeResponse"`
		Values  []string `xml:"OperationProgressSet>OperationProgress>RelatedItemSet>RelatedItem>Value"`
	}
	w.xmlOf(&task, "Action", "DescribeTaskAttribute", "TaskId", export.TaskId)
	if len(task.Values) != 4 || task.Values[0] != "images" || task.Values[1] != "raw" {
		t.Errorf("task %+v", task)
	}
}

func BenchmarkDescribeImages(b *testing.B) {
	w := newWorld(b)
	for n := range 100_000 {
		w.server.AddImage(ecsd.Image{Name: "golden", CreationTime: time.Unix(int64(n), 0)})
	}
	for b.Loop() {
		w.do("DescribeImages", "ImageName", "old", "PageSize", "100", "PageNumber", "500")
	}
}
