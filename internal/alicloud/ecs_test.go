package alicloud

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

const fullImage = `{"RequestId":"R-1","RegionId":"cn-hangzhou","TotalCount":1,"PageNumber":1,"PageSize":10,"Images":{"Image":[{
	"ImageId":"m-other"},{
	"ImageId":"m-1","ImageName":"web-1","Description":"golden","ImageFamily":"base","ImageVersion":"7","Status":"Available",
	"ImageOwnerId":1234567890123456,"ImageOwnerAlias":"self","ProductCode":"","OSType":"linux","OSName":"Alibaba Cloud Linux 3",
	"Platform":"Aliyun","Architecture":"x86_64","BootMode":"UEFI-Preferred","LicenseType":"Auto","ResourceGroupId":"rg-1",
	"IsSupportCloudinit":true,"LoginAsNonRootSupported":"true","IsCopied":true,"Size":40,"CreationTime":"2026-11-22T03:04:05Z",
	"Features":{"NvmeSupport":"supported","ImdsSupport":"v2"},
	"DetectionOptions":{"Status":"Finished","Items":{"Item":[{"Name":"cloud-init","Value":"Installed"}]}},
	"Tags":{"Tag":[{"TagKey":"env","TagValue":"prod"},{"TagKey":"golden"}]},
	"DiskDeviceMappings":{"DiskDeviceMapping":[
		{"Device":"/dev/xvda","Type":"system","Size":"40","SnapshotId":"s-1","Format":"raw","Encrypted":false,"ImportOSSBucket":"in","ImportOSSObject":"a.raw"},
		{"Device":"/dev/xvdb","Type":"data","Size":500,"SnapshotId":"s-2","Encrypted":true,"ImportOSSBucket":"in","ImportOSSObject":"b.raw"}]}}]}}`

func TestImage(t *testing.T) {
	t.Parallel()
	s := serve(t, jsonAnswer(200, fullImage))
	image, found, err := open(t, s).ECS.Image(t.Context(), "m-1")
	if err != nil || !found {
		t.Fatal(found, err)
	}
	created := time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)
	want := manifest.Image{
		ID: "m-1", Name: "web-1", Description: "golden", Family: "base", Version: "7", Status: "Available",
		Region: "cn-hangzhou", AccountID: "1234567890123456", OwnerAlias: "self", OSType: "linux",
		OSName: "Alibaba Cloud Linux 3", Platform: "Aliyun", Architecture: "x86_64", BootMode: "UEFI-Preferred",
		NvmeSupport: "supported", ImdsSupport: "v2", LicenseType: "Auto", ResourceGroupID: "rg-1",
		IsSupportCloudinit: true, LoginAsNonRootSupport: true, IsCopied: true, SizeGiB: 40, CreationTime: &created,
		Disks: []manifest.Disk{
			{Device: "/dev/xvda", Type: "system", SizeGiB: 40, SnapshotID: "s-1", Format: "raw"},
			{Device: "/dev/xvdb", Type: "data", SizeGiB: 500, SnapshotID: "s-2", Encrypted: true},
		},
		Tags:            map[string]string{"env": "prod", "golden": ""},
		DetectionStatus: "Finished", DetectionItems: map[string]string{"cloud-init": "Installed"},
		ImportedFromOSSBucket: "in", ImportedFromOSSObjects: []string{"a.raw", "b.raw"},
	}
	if !reflect.DeepEqual(image, want) {
		t.Errorf("got %+v\nwant %+v", image, want)
	}
	request := s.last()
	assertSigned(t, request)
	query := request.URL.Query()
	if query.Get("ImageId") != "m-1" || query.Get("Status") != everyStatus || query.Has("ImageOwnerAlias") {
		t.Errorf("asked for %v", query)
	}
	if !strings.Contains(request.UserAgent(), "imageferry/1.2.3") {
		t.Errorf("user agent %q", request.UserAgent())
	}
}

func TestImageNotFound(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]http.HandlerFunc{
		"empty list":              jsonAnswer(200, `{"RequestId":"R","TotalCount":0,"Images":{"Image":[]}}`),
		"empty object":            jsonAnswer(200, `{"RequestId":"R","Images":{}}`),
		"empty string":            jsonAnswer(200, `{"RequestId":"R","Images":""}`),
		"empty list, bare string": jsonAnswer(200, `{"RequestId":"R","Images":{"Image":""}}`),
		"null":                    jsonAnswer(200, `{"RequestId":"R","Images":null}`),
		"other image":             jsonAnswer(200, `{"RequestId":"R","Images":{"Image":[{"ImageId":"m-2"}]}}`),
		"error":                   jsonAnswer(404, `{"Code":"InvalidImageId.NotFound","Message":"The specified ImageId does not exist.","RequestId":"R"}`),
		"older error":             jsonAnswer(403, `{"Code":"ImageId.NotFound","Message":"The image does not exist."}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if image, found, err := open(t, serve(t, handle)).ECS.Image(t.Context(), "m-1"); found || err != nil {
				t.Errorf("got %+v, %v, %v", image, found, err)
			}
		})
	}
}

// What is no answer of ECS must not read as "there is none": an export would be started again.
func TestAbsenceIsSaidByECSAlone(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty object":     `{}`,
		"no request id":    `{"TotalCount":0,"Images":{"Image":[]},"TaskSet":{"Task":[]}}`,
		"a number":         `{"RequestId":"R","Images":17,"TaskSet":17}`,
		"a number inside":  `{"RequestId":"R","Images":{"Image":17},"TaskSet":{"Task":17}}`,
		"text for a list":  `{"RequestId":"R","Images":"none","TaskSet":"none"}`,
		"an error in JSON": `{"error":"unauthorized"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			session := open(t, serve(t, jsonAnswer(200, body)))
			_, _, err := session.ECS.Image(t.Context(), "m-1")
			callError(t, err)
			_, err = session.ECS.TasksOf(t.Context(), "m-1", time.Time{})
			callError(t, err)
			_, err = session.ECS.Tasks(t.Context(), []string{"t-1"})
			callError(t, err)
		})
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	s := serve(t, jsonAnswer(200, `{"RequestId":"R","TotalCount":"103","Images":{"Image":[{"ImageId":"m-1","ImageOwnerAlias":"self"},{"ImageId":"m-2","ImageOwnerAlias":"others"}]}}`))
	since := time.Date(2026, 11, 22, 11, 4, 59, 0, time.FixedZone("", 8*3600))
	images, total, err := open(t, s).ECS.Images(t.Context(), since, 2)
	if err != nil || total != 103 || len(images) != 2 {
		t.Fatal(images, total, err)
	}
	if images[0].Region != "cn-hangzhou" || images[0].AccountID != "1234567890123456" || images[1].AccountID != "" {
		t.Errorf("got %+v", images)
	}
	query := s.last().URL.Query()
	for name, want := range map[string]string{
		"ImageOwnerAlias": "self", "Status": "Available", "PageNumber": "2", "PageSize": "100",
		"Filter.1.Key": "CreationStartTime", "Filter.1.Value": "2026-11-22T03:04Z",
	} {
		if query.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, query.Get(name), want)
		}
	}
	if _, _, err := open(t, s).ECS.Images(t.Context(), time.Time{}, 1); err != nil || s.last().URL.Query().Has("Filter.1.Key") {
		t.Errorf("all images: %v, %v", err, s.last().URL.Query())
	}
}

var exportRequest = export.Request{
	ImageID:     "m-1",
	Destination: manifest.Destination{Region: "cn-hangzhou", Bucket: "golden-images", Prefix: "nightly", Format: "qcow2"},
	Role:        "AliyunECSImageExportDefaultRole",
	ClientToken: "ferry-1",
}

func TestExportSpeaksBothDialects(t *testing.T) {
	t.Parallel()
	const id = "C8B26B44-0189-443E-9816-D951F59623A9"
	for name, test := range map[string]struct {
		handle http.HandlerFunc
		want   export.Accepted
	}{
		"today":         {jsonAnswer(200, `{"RequestId":"`+id+`","TaskId":"tsk-1","RegionId":"cn-hangzhou"}`), export.Accepted{TaskID: "tsk-1", RequestID: id}},
		"older JSON":    {jsonAnswer(200, `{"RequestId":"`+id+`","ExportTaskId":"tsk-2"}`), export.Accepted{TaskID: "tsk-2", RequestID: id}},
		"older XML":     {answer(200, "text/xml", `<?xml version="1.0"?><ExportImageResponse><RequestId>`+id+`</RequestId><ExportTaskId>tsk-3</ExportTaskId><RegionId>cn-hangzhou</RegionId></ExportImageResponse>`), export.Accepted{TaskID: "tsk-3", RequestID: id}},
		"number":        {jsonAnswer(200, `{"RequestId":"`+id+`","TaskId":42}`), export.Accepted{TaskID: "42", RequestID: id}},
		"no task named": {jsonAnswer(200, `{"RequestId":"`+id+`"}`), export.Accepted{RequestID: id}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.handle)
			got, err := open(t, s).ECS.Export(t.Context(), exportRequest)
			if err != nil || got != test.want {
				t.Fatalf("got %+v, %v", got, err)
			}
			assertSigned(t, s.last())
			query := s.last().URL.Query()
			for name, want := range map[string]string{
				"Action": "ExportImage", "ImageId": "m-1", "OSSBucket": "golden-images", "OssBucket": "golden-images",
				"OSSPrefix": "nightly", "OssPrefix": "nightly", "ImageFormat": "qcow2",
				"RoleName": "AliyunECSImageExportDefaultRole", "ClientToken": "ferry-1",
			} {
				if query.Get(name) != want {
					t.Errorf("%s is %q, want %q", name, query.Get(name), want)
				}
			}
		})
	}
}

func TestExportWithoutPrefixSendsNone(t *testing.T) {
	t.Parallel()
	s := serve(t, jsonAnswer(200, `{"TaskId":"tsk-1"}`))
	request := exportRequest
	request.Destination.Prefix = ""
	if _, err := open(t, s).ECS.Export(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if query := s.last().URL.Query(); query.Get("OSSPrefix") != "" || query.Has("OssPrefix") {
		t.Errorf("sent a prefix: %v", query)
	}
}

func TestTasks(t *testing.T) {
	t.Parallel()
	s := serve(t, jsonAnswer(200, `{"RequestId":"R","TotalCount":2,"TaskSet":{"Task":[
		{"TaskId":"t-1","TaskAction":"ExportImage","TaskStatus":"Processing","ResourceId":"m-1","CreationTime":"2026-11-22T03:04Z","SupportCancel":true},
		{"TaskId":"t-2","TaskAction":"ExportImage","TaskStatus":"Finished","ResourceId":"m-2","CreationTime":"2026-11-22T11:04:05+0800","FinishedTime":"2026-11-22T05:00:00Z","SupportCancel":"false"}]}}`))
	tasks, err := open(t, s).ECS.Tasks(t.Context(), []string{"t-1", "t-2", "t-3"})
	want := []export.Task{
		{ID: "t-1", Action: "ExportImage", Status: "Processing", ImageID: "m-1", CreatedAt: time.Date(2026, 11, 22, 3, 4, 0, 0, time.UTC)},
		{
			ID: "t-2", Action: "ExportImage", Status: "Finished", ImageID: "m-2",
			CreatedAt: time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC), FinishedAt: time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC),
		},
	}
	if err != nil || !reflect.DeepEqual(tasks, want) {
		t.Errorf("got %+v, %v", tasks, err)
	}
	if query := s.last().URL.Query(); query.Get("TaskIds") != "t-1,t-2,t-3" || query.Get("PageSize") != "100" {
		t.Errorf("asked for %v", query)
	}
}

func TestTasksBounds(t *testing.T) {
	t.Parallel()
	s := serve(t, hangUp)
	client := open(t, s).ECS
	if tasks, err := client.Tasks(t.Context(), nil); tasks != nil || err != nil {
		t.Errorf("no ids: got %v, %v", tasks, err)
	}
	_, err := client.Tasks(t.Context(), make([]string, 101))
	if e := callError(t, err); e.Ambiguous || s.count() != 0 {
		t.Errorf("101 ids: got %+v after %d requests", e, s.count())
	}
}

func TestTasksOfReadsEveryPageAndFilters(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body := `{"RequestId":"R","TotalCount":6,"TaskSet":{"Task":[
			{"TaskId":"t-1","TaskAction":"ExportImage","ResourceId":"m-1","CreationTime":"2026-11-22T03:04Z"},
			{"TaskId":"t-2","TaskAction":"ExportImage","ResourceId":"m-2","CreationTime":"2026-11-22T03:04Z"},
			{"TaskId":"t-3","TaskAction":"ImportImage","ResourceId":"m-1","CreationTime":"2026-11-22T03:04Z"},
			{"TaskId":"t-4","TaskAction":"ExportImage","ResourceId":"m-1","CreationTime":"2026-11-22T03:03:59Z"}]}}`
		if r.URL.Query().Get("PageNumber") == "2" {
			body = `{"RequestId":"R","TotalCount":6,"TaskSet":{"Task":[
				{"TaskId":"t-5","ResourceId":"m-1","TaskStatus":"Failed"},
				{"TaskId":"t-6","TaskAction":"ExportImage","CreationTime":"2026-11-23T00:00:00Z"}]}}`
		}
		jsonAnswer(200, body)(w, r)
	})
	tasks, err := open(t, s).ECS.TasksOf(t.Context(), "m-1", time.Date(2026, 11, 22, 3, 4, 30, 0, time.UTC))
	var ids []string
	for _, task := range tasks {
		ids = append(ids, task.ID)
	}
	if err != nil || !reflect.DeepEqual(ids, []string{"t-1", "t-5", "t-6"}) || s.count() != 2 {
		t.Errorf("got %v, %v after %d requests", ids, err, s.count())
	}
	query := s.last().URL.Query()
	for name, want := range map[string]string{
		"TaskAction": "ExportImage", "ResourceIds.1": "m-1", "StartTime": "2026-11-22T03:04:00Z", "TaskStatus": "",
	} {
		if query.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, query.Get(name), want)
		}
	}
}

func TestTasksOfEndsWithoutTotal(t *testing.T) {
	t.Parallel()
	s := serve(t, jsonAnswer(200, `{"RequestId":"R","TotalCount":1000000,"TaskSet":{"Task":[{"TaskId":"t-1","ResourceId":"m-2"}]}}`))
	if tasks, err := open(t, s).ECS.TasksOf(t.Context(), "m-1", time.Time{}); len(tasks) != 0 || err != nil || s.count() != maxTaskPages {
		t.Errorf("got %v, %v after %d requests", tasks, err, s.count())
	}
}

func TestDetail(t *testing.T) {
	t.Parallel()
	s := serve(t, jsonAnswer(200, `{"CreationTime":"2015-11-23T02:13Z","OperationProgressSet":{"OperationProgress":[{"RelatedItemSet":{"RelatedItem":[{"Name":"OSSBucket","Value":"image-temp"},{"Name":"OSSObject","Value":"p_m-1_system.raw.tar.gz"},{"Name":"ImageFormat","Value":"raw"}]},"ErrorMsg":"","ErrorCode":"","OperationStatus":"Success"},
		{"OperationStatus":"Failed","ErrorCode":"E.1","ErrorMsg":"broke","RelatedItemSet":{}}]},"FinishedTime":"2015-11-23T02:19Z","FailedCount":"1","SupportCancel":true,"TotalCount":2,"SuccessCount":1,"RequestId":"4BE2C7FE","RegionId":"cn-hangzhou","TaskAction":"ExportImage","TaskStatus":"Finished","TaskProcess":"100%","TaskId":"t-1"}`))
	detail, found, err := open(t, s).ECS.Detail(t.Context(), "t-1")
	want := export.TaskDetail{
		Task: export.Task{
			ID: "t-1", Action: "ExportImage", Status: "Finished",
			CreatedAt: time.Date(2015, 11, 23, 2, 13, 0, 0, time.UTC), FinishedAt: time.Date(2015, 11, 23, 2, 19, 0, 0, time.UTC),
		},
		Progress: "100%", Failed: 1,
		Subtasks: []export.Subtask{
			{Status: "Success", Bucket: "image-temp", Object: "p_m-1_system.raw.tar.gz", Format: "raw"},
			{Status: "Failed", ErrorCode: "E.1", Message: "broke"},
		},
	}
	if err != nil || !found || !reflect.DeepEqual(detail, want) {
		t.Errorf("got %+v, %v, %v", detail, found, err)
	}
}

func TestDetailNotFound(t *testing.T) {
	t.Parallel()
	s := serve(t, jsonAnswer(400, `{"Code":"InvalidTaskId.NotFound","Message":"The specified TaskId does not exist.","RequestId":"R"}`))
	if detail, found, err := open(t, s).ECS.Detail(t.Context(), "t-1"); found || err != nil || s.count() != 1 {
		t.Errorf("got %+v, %v, %v", detail, found, err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := serve(t, answers(jsonAnswer(500, `{"Code":"InternalError","Message":"x"}`), jsonAnswer(200, `{"RequestId":"R"}`)))
	if err := open(t, s).ECS.Cancel(t.Context(), "t-1"); err != nil {
		t.Error(err)
	}
	if query := s.last().URL.Query(); query.Get("Action") != "CancelTask" || query.Get("TaskId") != "t-1" {
		t.Errorf("asked for %v", query)
	}
	refusing := serve(t, jsonAnswer(403, `{"Code":"InvalidTaskId.IncorrectTaskStatus","Message":"The specified task status is invalid.","RequestId":"R"}`))
	if e := callError(t, open(t, refusing).ECS.Cancel(t.Context(), "t-1")); e.Code != "InvalidTaskId.IncorrectTaskStatus" || e.Status != 403 {
		t.Errorf("got %+v", e)
	}
}
