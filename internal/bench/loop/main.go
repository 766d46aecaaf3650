// Loop is the function that one writes first to find the images of which there is no export: it describes a page of images,
// asks OSS about the object of each, one after the other, and goes on to the next page. It keeps nothing. It is what the
// benchmarks measure a sweep against.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/aliyun/aliyun-oss-go-sdk/oss"
	"github.com/aliyun/fc-runtime-go-sdk/fc"
	"github.com/aliyun/fc-runtime-go-sdk/fccontext"
)

func main() { fc.Start(handle) }

// An answer counts the images, and those without an object.
type answer struct{ Seen, Missing int }

func handle(ctx context.Context, _ json.RawMessage) (answer, error) {
	fcx, ok := fccontext.FromContext(ctx)
	if !ok {
		return answer{}, errors.New("the invocation has no context of Function Compute")
	}
	keys := fcx.Credentials
	images, err := ecs.NewClientWithOptions(fcx.Region, sdk.NewConfig().WithScheme("HTTP"),
		credentials.NewStsTokenCredential(keys.AccessKeyId, keys.AccessKeySecret, keys.SecurityToken))
	if err != nil {
		return answer{}, fmt.Errorf("make ECS client: %w", err)
	}
	images.Domain = strings.TrimPrefix(os.Getenv("FERRY_ECS_ENDPOINT"), "http://")
	objects, err := oss.New(os.Getenv("FERRY_OSS_ENDPOINT"), keys.AccessKeyId, keys.AccessKeySecret,
		oss.SecurityToken(keys.SecurityToken), oss.AuthVersion(oss.AuthV4), oss.Region(fcx.Region))
	if err != nil {
		return answer{}, fmt.Errorf("make OSS client: %w", err)
	}
	bucket, err := objects.Bucket(os.Getenv("FERRY_BUCKET"))
	if err != nil {
		return answer{}, fmt.Errorf("make OSS client: %w", err)
	}
	return walk(images, bucket, os.Getenv("FERRY_PREFIX"))
}

func walk(images *ecs.Client, bucket *oss.Bucket, prefix string) (answer, error) {
	var a answer
	for number := 1; ; number++ {
		request := ecs.CreateDescribeImagesRequest()
		request.ImageOwnerAlias = "self"
		request.PageNumber, request.PageSize = requests.NewInteger(number), requests.NewInteger(100)
		page, err := images.DescribeImages(request)
		if err != nil {
			return a, fmt.Errorf("describe images: %w", err)
		}
		for _, image := range page.Images.Image {
			exists, err := bucket.IsObjectExist(prefix + "_" + image.ImageId + "_system.raw.tar.gz")
			if err != nil {
				return a, fmt.Errorf("look for the object of %s: %w", image.ImageId, err)
			}
			a.Seen++
			if !exists {
				a.Missing++
			}
		}
		if len(page.Images.Image) == 0 || number*100 >= page.TotalCount {
			return a, nil
		}
	}
}
