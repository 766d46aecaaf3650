package alicloud

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"imageferry/internal/export"
)

// Export calls ExportImage, once. The API has two dialects: today's has OSSBucket, OSSPrefix and TaskId, the older one
// OssBucket, OssPrefix, ClientToken and ExportTaskId, with answers in XML. Both are spoken in one request.
// Guess: ECS ignores parameters that it does not know, as it does with those that its documents have dropped.
func (e *ECS) Export(ctx context.Context, r export.Request) (export.Accepted, error) {
	var answer exportAnswer
	f := e.call(ctx, 1, func() requests.AcsRequest {
		request := ecs.CreateExportImageRequest()
		request.ImageId = r.ImageID
		request.OSSBucket = r.Destination.Bucket
		request.OSSPrefix = r.Destination.Prefix
		request.ImageFormat = r.Destination.Format
		request.RoleName = r.Role
		request.QueryParams["OssBucket"] = r.Destination.Bucket
		request.QueryParams["ClientToken"] = r.ClientToken
		if r.Destination.Prefix != "" {
			request.QueryParams["OssPrefix"] = r.Destination.Prefix
		}
		return request
	}, answer.decode)
	if f != nil {
		return export.Accepted{}, f.CallError
	}
	task := answer.TaskID
	if task == "" {
		task = answer.ExportTaskID
	}
	return export.Accepted{TaskID: string(task), RequestID: string(answer.RequestID)}, nil
}

type exportAnswer struct {
	XMLName      xml.Name `json:"-"`
	RequestID    text     `json:"RequestId" xml:"RequestId"`
	TaskID       text     `json:"TaskId" xml:"TaskId"`
	ExportTaskID text     `json:"ExportTaskId" xml:"ExportTaskId"`
}

// decode accepts an answer that names a task or at least a request: anything less may not be from ECS.
func (a *exportAnswer) decode(body []byte) error {
	*a = exportAnswer{}
	if body = bytes.TrimSpace(body); bytes.HasPrefix(body, []byte("<")) {
		if err := xml.Unmarshal(body, a); err != nil {
			return errors.New("broken XML")
		}
		if !strings.HasSuffix(a.XMLName.Local, "Response") {
			return errors.New("not a response of ECS")
		}
	} else if err := decodeJSON(body, a); err != nil {
		return err
	}
	if a.TaskID == "" && a.ExportTaskID == "" && a.RequestID == "" {
		return errors.New("neither task nor request id")
	}
	return nil
}
