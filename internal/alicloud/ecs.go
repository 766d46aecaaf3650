package alicloud

import (
	"context"
	"errors"
	"sync"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"imageferry/internal/alicloud/endpoint"
	"imageferry/internal/export"
)

// ECS is the Elastic Compute Service of one region.
type ECS struct {
	line     line
	region   string
	account  string
	endpoint endpoint.Endpoint // without a host: the SDK's for the region
	version  string
}

var (
	_ export.Images = (*ECS)(nil)
	_ export.Tasks  = (*ECS)(nil)
)

// ecsTries is how often an idempotent call is sent.
const ecsTries = 3

// ecsHosts is the SDK's map of endpoints, a package variable that it writes when it is first asked, unguarded.
var ecsHosts = sync.OnceValue(ecs.GetEndpointMap)

// read makes an idempotent call. Throttling is not tried again here: ECS opens again a minute later.
func (e *ECS) read(ctx context.Context, build func() requests.AcsRequest, decode func([]byte) error) *fault {
	return e.call(ctx, ecsTries, build, decode)
}

func (e *ECS) call(ctx context.Context, tries int, build func() requests.AcsRequest, decode func([]byte) error) *fault {
	op := build().GetActionName()
	at := rpc{region: e.region, version: e.version, endpoint: e.endpoint, known: ecsHosts}
	repeat := func(f *fault) bool { return f.again && !throttled(f.Code) }
	return e.line.call(ctx, op, maxAnswer, tries, repeat, func(x *exchange, c Credentials) error {
		if err := at.send(build(), x, c); err != nil {
			return err
		}
		if x.cut {
			return errors.New("too long")
		}
		return decode(x.body)
	})
}
