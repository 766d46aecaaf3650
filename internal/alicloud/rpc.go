package alicloud

import (
	"errors"
	"net/http"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"imageferry/internal/alicloud/endpoint"
)

// An rpc is a service of the RPC style, such as ECS, STS and RAM, as requests find it.
type rpc struct {
	region   string
	version  string            // imageferry's
	endpoint endpoint.Endpoint // without a host: known's, or else the region's
	// known are the hosts of the regions whose names follow no rule.
	known func() map[string]string
}

// errRefused stands for an answer that is no success: its fault tells what it was.
var errRefused = errors.New("refused")

// send sends one of the SDK's typed requests, signed by the SDK, through x. The request is a new one: it keeps its first
// signature. The SDK's client is not between, for its decoding, retries, logs and other kinds of credentials, which are of no
// use here, would be linked in: a twentieth of the function. The answer is left undecoded.
func (r rpc) send(request requests.AcsRequest, x *exchange, c Credentials) error {
	request.SetScheme(strings.ToUpper(r.endpoint.Scheme))
	request.SetDomain(r.host(request.GetProduct()))
	request.GetHeaders()["x-sdk-core-version"] = sdk.Version
	if err := requests.InitParams(request); err != nil {
		return err
	}
	if err := auth.Sign(request, nil, r.region, provider(c)); err != nil {
		return err
	}
	message, err := http.NewRequestWithContext(x.ctx, request.GetMethod(), request.BuildUrl(), request.GetBodyReader())
	if err != nil {
		return err
	}
	for name, value := range request.GetHeaders() {
		message.Header[name] = []string{value}
	}
	message.Header.Set("User-Agent", sdk.DefaultUserAgent+" imageferry/"+r.version)
	response, err := x.RoundTrip(message)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if !x.succeeded() {
		return errRefused
	}
	return nil
}

// host is where the service is, by the SDK's rule.
func (r rpc) host(product string) string {
	if r.endpoint.Host != "" {
		return r.endpoint.Host
	}
	if host := r.known()[r.region]; host != "" {
		return host
	}
	return strings.ToLower(product) + "." + r.region + ".aliyuncs.com"
}

// provider gives the SDK's signer the credentials.
func provider(c Credentials) credentials.CredentialsProvider {
	if c.SecurityToken != "" {
		return credentials.NewStaticSTSCredentialsProvider(c.AccessKeyID, c.AccessKeySecret, c.SecurityToken)
	}
	return credentials.NewStaticAKCredentialsProvider(c.AccessKeyID, c.AccessKeySecret)
}
