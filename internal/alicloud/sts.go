package alicloud

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"
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
	session, err := Open(options)
	if err != nil {
		return Caller{}, err
	}
	at := endpoint.Endpoint{Scheme: "https"} // no host: the SDK knows those of the regions
	if stsEndpoint != "" {
		if at, err = endpoint.Parse(stsEndpoint); err != nil {
			return Caller{}, fmt.Errorf("ask who is calling: STS endpoint %w", err)
		}
	}
	var answer struct {
		AccountID text `json:"AccountId"`
		ARN       text `json:"Arn"`
		RequestID text `json:"RequestId"`
	}
	line := session.ECS.line
	repeat := func(f *fault) bool { return f.again || throttled(f.Code) }
	f := line.call(ctx, "GetCallerIdentity", maxAnswer, ecsTries, repeat, func(x *exchange, c Credentials) error {
		if err := sendSTS(options, at, x, c); err != nil {
			return err
		}
		if err := decodeJSON(x.body, &answer); err != nil {
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

// prepareSTS makes the SDK build its map of endpoints, unguarded otherwise, see prepare.
var prepareSTS = sync.OnceFunc(func() { sts.GetEndpointMap() })

func sendSTS(options Options, at endpoint.Endpoint, x *exchange, c Credentials) error {
	prepareSTS()
	config := sdk.NewConfig().WithScheme(strings.ToUpper(at.Scheme))
	config.Transport = x
	var signer any = credentials.NewAccessKeyCredential(c.AccessKeyID, c.AccessKeySecret)
	if c.SecurityToken != "" {
		signer = credentials.NewStsTokenCredential(c.AccessKeyID, c.AccessKeySecret, c.SecurityToken)
	}
	client, err := sts.NewClientWithOptions(options.Region, config, signer)
	if err != nil {
		return err
	}
	client.Domain = at.Host
	client.AppendUserAgent("imageferry", options.Version)
	return client.DoAction(sts.CreateGetCallerIdentityRequest(), responses.NewCommonResponse())
}
