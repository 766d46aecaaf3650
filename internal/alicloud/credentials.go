package alicloud

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
)

// Credentials sign requests. They print as nothing.
type Credentials struct {
	AccessKeyID     string
	AccessKeySecret string
	SecurityToken   string // of STS; empty for a user's own access key
}

// String hides the credentials from fmt.
func (Credentials) String() string { return "[credentials]" }

// GoString hides the credentials from %#v.
func (Credentials) GoString() string { return "[credentials]" }

// LogValue hides the credentials from slog.
func (Credentials) LogValue() slog.Value { return slog.StringValue("[credentials]") }

// A Provider gives the credentials for a call. It is called by many goroutines at once.
type Provider func(context.Context) (Credentials, error)

// Static always gives c, such as what came with an invocation.
func Static(c Credentials) Provider {
	return func(context.Context) (Credentials, error) { return c, nil }
}

// DefaultChain gives a person's own credentials where the SDK looks for them: environment, OIDC, the CLI's and the SDK's
// profile files, the instance's role, a credentials URI. Make it once a process: the chain remembers what it found.
func DefaultChain() Provider {
	var mutex sync.Mutex // the SDK's chain is not safe for concurrent use
	chain := credentials.NewDefaultCredentialsProvider()
	return func(ctx context.Context) (Credentials, error) {
		mutex.Lock()
		defer mutex.Unlock()
		if err := ctx.Err(); err != nil {
			return Credentials{}, err
		}
		found, err := chain.GetCredentials()
		if err != nil {
			// The chain sticks to the last provider it tried, even though that one failed.
			chain = credentials.NewDefaultCredentialsProvider()
			return Credentials{}, errors.New("no provider of the default chain has credentials")
		}
		return Credentials{
			AccessKeyID:     found.AccessKeyId,
			AccessKeySecret: found.AccessKeySecret,
			SecurityToken:   found.SecurityToken,
		}, nil
	}
}
