package alicloud

import (
	"context"
	"fmt"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// AccountImages lists every custom image of the account in the region, in every status, newest first where ECS has it so.
// The pages shift while images are created and deleted: an image is listed once at most, and one whose page moved away
// meanwhile may be missing.
func (e *ECS) AccountImages(ctx context.Context) ([]manifest.Image, error) {
	var images []manifest.Image
	listed := map[string]bool{}
	for page := 1; ; page++ {
		var answer imagesAnswer
		f := e.read(ctx, func() requests.AcsRequest {
			request := ecs.CreateDescribeImagesRequest()
			request.ImageOwnerAlias = "self"
			request.Status = everyStatus
			request.PageNumber = requests.NewInteger(page)
			request.PageSize = requests.NewInteger(export.ImagePageSize)
			return request
		}, answer.decode)
		if f != nil {
			return nil, fmt.Errorf("list images of the account: %w", f.CallError)
		}
		for _, w := range answer.Images {
			if image := e.image(w, answer.RegionID); !listed[image.ID] {
				listed[image.ID] = true
				images = append(images, image)
			}
		}
		if len(answer.Images) == 0 || page*export.ImagePageSize >= int(answer.TotalCount) {
			return images, nil
		}
	}
}
