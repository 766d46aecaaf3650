package alicloud

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/sts"

	"imageferry/internal/alicloud/endpoint"
)

// A Caller is who the credentials belong to.
type Caller struct {
	AccountID string
	ARN       string
	RequestID string
}

// WhoAmI asks STS who the credentials belong to: GetCallerIdentity, which needs no permission. An empty endpoint is the
// region's. Errors of the call are *export.CallError.
func WhoAmI(ctx context.Context, options Options, stsEndpoint string) (Caller, error) {
	client, err := openSTS(options, stsEndpoint)
	if err != nil {
		return Caller{}, fmt.Errorf("ask who is calling: %w", err)
	}
	var answer struct {
		AccountID text `json:"AccountId"`
		ARN       text `json:"Arn"`
		RequestID text `json:"RequestId"`
	}
	f := client.call(ctx, "GetCallerIdentity", func() requests.AcsRequest {
		return sts.CreateGetCallerIdentityRequest()
	}, func(body []byte) error {
		if err := decodeJSON(body, &answer); err != nil {
			return err
		}
		if answer.AccountID == "" {
			return errors.New("an identity without an account")
		}
		return nil
	})
	if f != nil {
		return Caller{}, f.CallError
	}
	return Caller{AccountID: string(answer.AccountID), ARN: string(answer.ARN), RequestID: string(answer.RequestID)}, nil
}

// An stsClient is the Security Token Service as one set of credentials calls it.
type stsClient struct {
	line line
	at   rpc
}

func openSTS(options Options, stsEndpoint string) (*stsClient, error) {
	session, err := Open(options)
	if err != nil {
		return nil, err
	}
	at := endpoint.Endpoint{Scheme: "https"} // no host: the SDK knows those of the regions
	if stsEndpoint != "" {
		if at, err = endpoint.Parse(stsEndpoint); err != nil {
			return nil, fmt.Errorf("STS endpoint %w", err)
		}
	}
	return &stsClient{
		line: session.ECS.line.to("sts"),
		at:   rpc{region: options.Region, version: options.Version, endpoint: at, known: stsHosts},
	}, nil
}

// call makes a call that may be repeated.
func (c *stsClient) call(ctx context.Context, op string, build func() requests.AcsRequest, decode func([]byte) error) *fault {
	repeat := func(f *fault) bool { return f.again || throttled(f.Code) }
	return c.line.call(ctx, op, maxAnswer, ecsTries, repeat, func(x *exchange, k Credentials) error {
		if err := c.at.send(build(), x, k); err != nil {
			return err
		}
		return decode(x.body)
	})
}

// stsHosts is the SDK's map of endpoints, see ecsHosts.
var stsHosts = sync.OnceValue(sts.GetEndpointMap)
