// Package samples makes images in an embedded cloud as its users would: golden images that can be exported, and one of
// every kind that cannot, each with the outcome that it should have.
package samples

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/manifest"
)

// A Sample is one image, and what should become of it.
type Sample struct {
	Name   string
	State  manifest.State
	Reason string
	// make creates the image and tells the function, and returns its id.
	make func(context.Context, *maker, Sample) (string, error)
}

// A Made sample has an id.
type Made struct {
	Sample
	ImageID string
}

// Default is how many plain images make a dozen samples in all.
const Default = 7

// Plan is plain exportable images, and the problem ones after them.
func Plan(plain int) []Sample {
	var plan []Sample
	for i := range plain {
		s := Sample{Name: fmt.Sprintf("%s-%02d", families[i%len(families)], i+1), State: manifest.Exported, make: createPlain(i)}
		if i == 3 {
			s.make = createUnannounced // there for the sweep to find
		}
		plan = append(plan, s)
	}
	return append(plan,
		Sample{Name: "windows-server", State: manifest.Skipped, Reason: "image-windows", make: createWindows},
		Sample{Name: "five-data-disks", State: manifest.Skipped, Reason: "image-disks", make: createFiveDisks},
		Sample{Name: "from-marketplace", State: manifest.Skipped, Reason: "image-marketplace", make: announce(func(i *ecsd.Image) {
			i.ProductCode = "cmjj000001"
		})},
		Sample{Name: "encrypted-disk", State: manifest.Skipped, Reason: "image-encrypted", make: announce(func(i *ecsd.Image) {
			i.Disks = []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 40, Encrypted: true}}
		})},
		Sample{Name: "shared-by-another", State: manifest.Skipped, Reason: "image-not-owned", make: requestShared},
	)
}

var families = []string{"web", "db", "worker", "bastion"}

// Create makes the samples, the unannounced ones too.
func Create(ctx context.Context, cloud *localcloud.Cloud, plan []Sample) ([]Made, error) {
	client, err := Client(cloud)
	if err != nil {
		return nil, err
	}
	m := &maker{cloud: cloud, client: client}
	var made []Made
	for _, s := range plan {
		id, err := s.make(ctx, m, s)
		if err != nil {
			return made, fmt.Errorf("create sample %s: %w", s.Name, err)
		}
		made = append(made, Made{Sample: s, ImageID: id})
	}
	return made, nil
}

// prepare fills the SDK's map of endpoints, a package variable that the first clients of two clouds would race for.
var prepare = sync.OnceFunc(func() { ecs.GetEndpointMap() })

// Client is the SDK's client of the embedded ECS with the administrator's keys. It is not safe for concurrent use.
func Client(cloud *localcloud.Cloud) (*ecs.Client, error) {
	prepare()
	keys := cloud.Administrator
	client, err := ecs.NewClientWithOptions(cloud.Region, sdk.NewConfig().WithScheme("HTTP"),
		credentials.NewAccessKeyCredential(keys.AccessKeyID, keys.Secret))
	if err != nil {
		return nil, fmt.Errorf("make ECS client: %w", err)
	}
	client.Domain = cloud.Endpoints.ECS
	return client, nil
}

type maker struct {
	cloud  *localcloud.Cloud
	client *ecs.Client
}

// create calls CreateImage.
func (m *maker) create(name string, fill func(*ecs.CreateImageRequest)) (string, error) {
	r := ecs.CreateCreateImageRequest()
	r.ImageName = name
	r.InstanceId = "i-bp1localsample00000001"
	fill(r)
	answer, err := m.client.CreateImage(r)
	if err != nil {
		return "", fmt.Errorf("CreateImage: %w", err)
	}
	return answer.ImageId, nil
}

func createPlain(i int) func(context.Context, *maker, Sample) (string, error) {
	return func(_ context.Context, m *maker, s Sample) (string, error) {
		return m.create(s.Name, func(r *ecs.CreateImageRequest) {
			family := families[i%len(families)]
			r.ImageFamily = family
			r.ImageVersion = strconv.Itoa(1 + i/len(families))
			r.Description = "golden image for " + family
			r.Tag = &[]ecs.CreateImageTag{{Key: "role", Value: family}}
			if family == "db" {
				r.InstanceId = ""
				r.DiskDeviceMapping = disks(2)
			}
		})
	}
}

// disks are a system disk and data disks after it.
func disks(data int) *[]ecs.CreateImageDiskDeviceMapping {
	mappings := []ecs.CreateImageDiskDeviceMapping{{SnapshotId: "s-bp1localsample0000000a", Size: "40", DiskType: "system"}}
	for n := range data {
		mappings = append(mappings, ecs.CreateImageDiskDeviceMapping{
			SnapshotId: fmt.Sprintf("s-bp1localsample0000000%c", 'b'+n), Size: "20", DiskType: "data",
		})
	}
	return &mappings
}

func createWindows(_ context.Context, m *maker, s Sample) (string, error) {
	return m.create(s.Name, func(r *ecs.CreateImageRequest) { r.Platform = "Windows Server 2022" })
}

func createFiveDisks(_ context.Context, m *maker, s Sample) (string, error) {
	return m.create(s.Name, func(r *ecs.CreateImageRequest) {
		r.InstanceId = ""
		r.DiskDeviceMapping = disks(5)
	})
}

// createUnannounced adds an image that no event tells of.
func createUnannounced(_ context.Context, m *maker, s Sample) (string, error) {
	return m.cloud.ECS.AddImage(ecsd.Image{Name: s.Name, Description: "no event was delivered for this one"}), nil
}

// announce adds an image that CreateImage could not make here, with the event that ECS would send.
func announce(change func(*ecsd.Image)) func(context.Context, *maker, Sample) (string, error) {
	return func(_ context.Context, m *maker, s Sample) (string, error) {
		image := ecsd.Image{Name: s.Name}
		change(&image)
		id := m.cloud.ECS.AddImage(image)
		m.cloud.Bus.ImageStateChanged(id, ecsd.StatusAvailable)
		return id, nil
	}
}

// requestShared adds an image that another account shares, and asks for it over HTTP, as often as the function is too busy.
func requestShared(ctx context.Context, m *maker, s Sample) (string, error) {
	id := m.cloud.ECS.AddImage(ecsd.Image{Name: s.Name, OwnerAlias: "others", OwnerAccount: "6543210987654321"})
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for range maxRequests {
		status, text, err := m.request(ctx, id)
		switch {
		case err != nil:
			return "", fmt.Errorf("POST /exports: %w", err)
		case status/100 == 2:
			return id, nil
		case status != http.StatusTooManyRequests:
			return "", fmt.Errorf("POST /exports: status %d: %s", status, text)
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return "", fmt.Errorf("POST /exports: %w", ctx.Err())
		}
	}
	return "", fmt.Errorf("POST /exports: the function was busy %d times", maxRequests)
}

// maxRequests bounds how often a busy function is asked.
const maxRequests = 300

// request posts one order for an image, signed by the administrator.
func (m *maker) request(ctx context.Context, imageID string) (status int, text []byte, err error) {
	body, err := json.Marshal(map[string]string{"imageId": imageID})
	if err != nil {
		return 0, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+m.cloud.Endpoints.HTTP+"/exports", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	openapi.SignACS3(r, body, m.cloud.Administrator, time.Now())
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err = io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	return answer.StatusCode, text, err
}
