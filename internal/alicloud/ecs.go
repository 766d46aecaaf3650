package alicloud

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"
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

// prepare makes the SDK build its map of endpoints, a package variable that it would otherwise write with its first
// client, unguarded.
var prepare = sync.OnceFunc(func() { ecs.GetEndpointMap() })

// read makes an idempotent call. Throttling is not tried again here: ECS opens again a minute later.
func (e *ECS) read(ctx context.Context, build func() requests.AcsRequest, decode func([]byte) error) *fault {
	return e.call(ctx, ecsTries, build, decode)
}

func (e *ECS) call(ctx context.Context, tries int, build func() requests.AcsRequest, decode func([]byte) error) *fault {
	op := build().GetActionName()
	repeat := func(f *fault) bool { return f.again && !throttled(f.Code) }
	return e.line.call(ctx, op, maxAnswer, tries, repeat, func(x *exchange, c Credentials) error {
		if err := e.send(build(), x, c); err != nil {
			return err
		}
		if x.cut {
			return errors.New("too long")
		}
		return decode(x.body)
	})
}

// send uses a client of its own for each request: the SDK's clients are not safe for concurrent use, and its requests
// keep their first signature. The answer is left undecoded.
func (e *ECS) send(request requests.AcsRequest, x *exchange, c Credentials) error {
	prepare()
	config := sdk.NewConfig().WithScheme(strings.ToUpper(e.endpoint.Scheme)).WithTimeout(2 * e.line.timeout)
	config.Transport = x
	var signer any = credentials.NewAccessKeyCredential(c.AccessKeyID, c.AccessKeySecret)
	if c.SecurityToken != "" {
		signer = credentials.NewStsTokenCredential(c.AccessKeyID, c.AccessKeySecret, c.SecurityToken)
	}
	// Not the ECS package's own client: its thousand methods, with all that they need, would be linked in, because the
	// templates of the status page call methods by name. It differs by these two fields.
	client, err := sdk.NewClientWithOptions(e.region, config, signer)
	if err != nil {
		return err
	}
	client.EndpointMap, client.EndpointType = ecs.GetEndpointMap(), ecs.GetEndpointType()
	client.Domain = e.endpoint.Host
	client.AppendUserAgent("imageferry", e.version)
	return client.DoAction(request, responses.NewCommonResponse())
}
