package alicloud

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"imageferry/internal/doctor"
	"imageferry/internal/export"
)

var (
	_ doctor.Compute = (*ECS)(nil)
	_ doctor.Storage = (*OSS)(nil)
)

// Regions lists the ids of the regions that ECS knows.
func (e *ECS) Regions(ctx context.Context) ([]string, error) {
	var answer struct {
		Regions list[struct {
			ID text `json:"RegionId"`
		}] `json:"Regions"`
	}
	f := e.read(ctx, func() requests.AcsRequest { return ecs.CreateDescribeRegionsRequest() }, func(body []byte) error {
		return decodeAnswer(body, &answer)
	})
	if f != nil {
		return nil, f.CallError
	}
	var ids []string
	for _, r := range answer.Regions {
		ids = append(ids, string(r.ID))
	}
	return ids, nil
}

// CountImages counts the account's own Available images.
func (e *ECS) CountImages(ctx context.Context) (int, error) {
	return e.count(ctx, func() requests.AcsRequest {
		request := ecs.CreateDescribeImagesRequest()
		request.ImageOwnerAlias = "self"
		request.Status = "Available"
		request.PageSize = requests.NewInteger(1)
		return request
	})
}

// CountExporting counts the export tasks that ECS works on, whoever has started them.
func (e *ECS) CountExporting(ctx context.Context) (int, error) {
	return e.count(ctx, func() requests.AcsRequest {
		request := ecs.CreateDescribeTasksRequest()
		request.TaskAction = "ExportImage"
		request.TaskStatus = "Processing"
		request.PageSize = requests.NewInteger(1)
		return request
	})
}

func (e *ECS) count(ctx context.Context, build func() requests.AcsRequest) (int, error) {
	var answer struct {
		TotalCount number `json:"TotalCount"`
	}
	f := e.read(ctx, build, func(body []byte) error { return decodeAnswer(body, &answer) })
	if f != nil {
		return 0, f.CallError
	}
	return int(answer.TotalCount), nil
}

// Retention reads a bucket's retention policy (GetBucketWorm). OSS answers 404 where there is none.
func (o *OSS) Retention(ctx context.Context, bucket string) (doctor.Retention, bool, error) {
	var answer oss.WormConfiguration
	f := o.call(ctx, "GetBucketWorm", func(client *oss.Client, x *exchange) error {
		// Not client.GetBucketWorm: it ignores contexts.
		_, err := client.Conn.DoWithContext(ctx, http.MethodGet, bucket, "", map[string]any{"worm": nil},
			map[string]string{}, nil, 0, nil)
		if err != nil {
			return err
		}
		answer = oss.WormConfiguration{}
		if xml.Unmarshal(x.body, &answer) != nil {
			return errors.New("not a retention policy")
		}
		return nil
	})
	if f != nil {
		if f.Status == http.StatusNotFound && f.Code != "NoSuchBucket" {
			return doctor.Retention{}, false, nil
		}
		return doctor.Retention{}, false, f.CallError
	}
	return doctor.Retention{State: answer.State, Days: answer.RetentionPeriodInDays}, true, nil
}

// Time is OSS's own clock, to the second, as its answers tell it, refusals included.
func (o *OSS) Time(ctx context.Context, bucket string) (time.Time, error) {
	var date string
	f := o.call(ctx, "GetBucketInfo", func(client *oss.Client, x *exchange) error {
		_, err := client.Conn.DoWithContext(ctx, http.MethodGet, bucket, "", map[string]any{"bucketInfo": nil},
			map[string]string{}, nil, 0, nil)
		date = x.header.Get("Date")
		return err
	})
	at, err := http.ParseTime(date)
	switch {
	case err == nil:
		return at.UTC(), nil
	case f != nil:
		return time.Time{}, f.CallError
	}
	return time.Time{}, &export.CallError{Op: "GetBucketInfo", Status: http.StatusOK, Message: "the answer has no date"}
}
