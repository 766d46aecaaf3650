package alicloud

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"imageferry/internal/alicloud/endpoint"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// OSS is the Object Storage Service as seen from one region's endpoint.
type OSS struct {
	line     line
	region   string
	endpoint endpoint.Endpoint
	version  string
}

var _ export.Objects = (*OSS)(nil)

// ossTries is how often a call is sent: the SDK does not repeat any.
const ossTries = 4

// Store keeps objects in a bucket under the names that are given as keys.
func (o *OSS) Store(bucket string) manifest.Store { return &store{oss: o, bucket: bucket} }

// call makes a call that may be repeated. Beside failures of transport and service that is what OSS turns away because
// there was too much of it; its documents say to come again after a few seconds.
func (o *OSS) call(ctx context.Context, op string, send func(*oss.Client, *exchange) error) *fault {
	repeat := func(f *fault) bool { return f.again || ossBusy(f.Code) }
	return o.line.call(ctx, op, maxAnswer, ossTries, repeat, func(x *exchange, c Credentials) error {
		client, err := o.client(x, c)
		if err != nil {
			return err
		}
		return send(client, x)
	})
}

// ossBusy tells whether a call was turned away before it was looked at, because there were too many.
func ossBusy(code string) bool {
	switch code {
	// Guess: the code for downloads is made like the one for uploads.
	case "TotalQpsLimitExceeded", "MetaOperationQpsLimitExceeded", "PartitionQpsLimitted",
		"UploadTrafficRateLimitExceeded", "DownloadTrafficRateLimitExceeded":
		return true
	}
	return throttled(code)
}

// client makes a client for one try. The SDK's defaults are signatures of version 1, which newer buckets refuse, and
// plain http for an endpoint without a scheme. Only a loopback server is addressed by path: OSS itself refuses that.
func (o *OSS) client(x *exchange, c Credentials) (*oss.Client, error) {
	return oss.New(o.endpoint.String(), c.AccessKeyID, c.AccessKeySecret,
		oss.SecurityToken(c.SecurityToken),
		oss.AuthVersion(oss.AuthV4),
		oss.Region(o.region),
		oss.ForcePathStyle(o.endpoint.Loopback()),
		oss.UserAgent("imageferry/"+o.version),
		oss.HTTPClient(&http.Client{Transport: x}),
	)
}

// object gives send the bucket, and the SDK the context where it takes one; where it does not, the exchange has it.
func (o *OSS) object(ctx context.Context, op, bucket string, send func(*oss.Bucket, *exchange) error) *fault {
	return o.call(ctx, op, func(client *oss.Client, x *exchange) error {
		b, err := client.Bucket(bucket)
		if err != nil {
			return err
		}
		return send(b, x)
	})
}

// Bucket describes a bucket of any region. Of one that OSS only answers for at another region's endpoint no more than
// the name and the location are known.
func (o *OSS) Bucket(ctx context.Context, name string) (export.Bucket, bool, error) {
	const op = "GetBucketInfo"
	var answer oss.GetBucketInfoResult
	f := o.call(ctx, op, func(client *oss.Client, x *exchange) error {
		if err := oss.CheckBucketName(name); err != nil {
			return err
		}
		// Not client.GetBucketInfo: it ignores contexts.
		_, err := client.Conn.DoWithContext(ctx, http.MethodGet, name, "", map[string]any{"bucketInfo": nil},
			map[string]string{}, nil, 0, nil)
		if err != nil {
			return err
		}
		answer = oss.GetBucketInfoResult{}
		if err := xml.Unmarshal(x.body, &answer); err != nil {
			return errors.New("not the description of a bucket")
		}
		if answer.BucketInfo.Location == "" {
			return errors.New("a bucket without a location")
		}
		return nil
	})
	if f != nil {
		if location := elsewhere(string(f.refusal.Endpoint)); location != "" && location != "oss-"+o.region {
			return export.Bucket{Name: name, Location: location}, true, nil
		}
		if f.Code == "NoSuchBucket" {
			return export.Bucket{}, false, nil
		}
		return export.Bucket{}, false, f.CallError
	}
	info := answer.BucketInfo
	bucket := export.Bucket{
		Name:         name,
		Location:     info.Location,
		OwnerID:      info.Owner.ID,
		ACL:          info.ACL,
		Versioning:   info.Versioning,
		SSEAlgorithm: info.SseRule.SSEAlgorithm,
		StorageClass: info.StorageClass,
	}
	if bucket.SSEAlgorithm == "None" {
		bucket.SSEAlgorithm = ""
	}
	return bucket, true, nil
}

// elsewhere is the location that an endpoint such as oss-cn-beijing.aliyuncs.com stands for.
func elsewhere(endpoint string) string {
	host, domain, _ := strings.Cut(strings.TrimSpace(endpoint), ".")
	location := strings.TrimSuffix(host, "-internal")
	if !strings.HasPrefix(location, "oss-") || !isRegion(location) || !strings.HasSuffix(domain, "aliyuncs.com") {
		return ""
	}
	return location
}

// Object describes an object. An answer to HEAD has no body: 404 alone means that the object is not there, except when
// OSS adds that the bucket is missing.
func (o *OSS) Object(ctx context.Context, bucket, key string) (export.ObjectInfo, bool, error) {
	var object export.ObjectInfo
	f := o.object(ctx, "HeadObject", bucket, func(b *oss.Bucket, x *exchange) error {
		header, err := b.GetObjectDetailedMeta(key, oss.WithContext(ctx))
		if err != nil {
			return err
		}
		object, err = objectInfo(header)
		return err
	})
	if f != nil {
		if f.Status == http.StatusNotFound && f.Code != "NoSuchBucket" {
			return export.ObjectInfo{}, false, nil
		}
		return export.ObjectInfo{}, false, f.CallError
	}
	return object, true, nil
}

func objectInfo(header http.Header) (export.ObjectInfo, error) {
	size, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	if err != nil || size < 0 {
		return export.ObjectInfo{}, errors.New("an object without a size")
	}
	modified, err := http.ParseTime(header.Get("Last-Modified"))
	if err != nil {
		return export.ObjectInfo{}, errors.New("an object without a time of modification")
	}
	return export.ObjectInfo{
		Size:         size,
		CRC64:        header.Get(oss.HTTPHeaderOssCRC64),
		ETag:         strings.Trim(header.Get("ETag"), `"`),
		StorageClass: header.Get(oss.HTTPHeaderOssStorageClass),
		LastModified: modified.UTC(),
	}, nil
}

// Read returns a part of an object, of at most 8 MiB.
func (o *OSS) Read(ctx context.Context, bucket, key string, offset, length int64) ([]byte, error) {
	const op = "GetObject"
	if length <= 0 || length > maxAnswer {
		return nil, &export.CallError{Op: op, Message: fmt.Sprintf("not sent: a length of %d bytes is not possible", length)}
	}
	bytes := fmt.Sprintf("%d-%d", offset, offset+length-1)
	if offset < 0 {
		bytes = strconv.FormatInt(offset, 10)
	}
	var part []byte
	f := o.object(ctx, op, bucket, func(b *oss.Bucket, x *exchange) error {
		// Without the behaviour "standard" OSS answers a range that passes the end with the whole object.
		answer, err := b.GetObject(key, oss.WithContext(ctx), oss.NormalizedRange(bytes), oss.RangeBehavior("standard"))
		if err != nil {
			return err
		}
		_ = answer.Close()
		part, err = cutPart(x, offset, length)
		return err
	})
	if f != nil {
		if f.Status == http.StatusRequestedRangeNotSatisfiable {
			// The object ends before offset, or is empty. Guess: one that is shorter than what is asked for from its end is
			// sent whole.
			return nil, nil
		}
		return nil, f.CallError
	}
	return part, nil
}

// cutPart takes the part out of an answer that may be the whole object, as long as that is small.
func cutPart(x *exchange, offset, length int64) ([]byte, error) {
	body := x.body
	if x.status == http.StatusPartialContent {
		if sent := rangeLength(x.header.Get("Content-Range")); sent >= 0 && sent != int64(len(body)) {
			return nil, fmt.Errorf("%d bytes of a part of %d", len(body), sent)
		}
	} else {
		if x.cut {
			return nil, errors.New("OSS sent the whole object instead of a part")
		}
		start := offset
		if start < 0 {
			start += int64(len(body))
		}
		body = body[min(max(start, 0), int64(len(body))):]
	}
	return body[:min(length, int64(len(body)))], nil
}

// rangeLength is how many bytes a Content-Range such as "bytes 0-67/4096" promises, -1 when it does not tell.
func rangeLength(header string) int64 {
	var first, last int64
	if _, err := fmt.Sscanf(header, "bytes %d-%d/", &first, &last); err != nil || first > last {
		return -1
	}
	return last - first + 1
}
