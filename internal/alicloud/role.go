package alicloud

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/sts"
)

// A Role is one that is assumed, and with what. It is a key: roles that differ in anything share no credentials.
type Role struct {
	// ARN is acs:ram::<account>:role/<name>.
	ARN string
	// ExternalID is what the role's trust policy asks for; it is a secret.
	ExternalID string
	// Session names the caller in the other account's ActionTrail: 2 to 64 letters, digits and .@-_.
	Session string
}

// String hides the external id from fmt.
func (r Role) String() string { return r.ARN }

// GoString hides the external id from %#v.
func (r Role) GoString() string { return r.ARN }

const (
	// roleLife is the shortest that STS gives: a role that is taken away, or repaired, is felt soon.
	roleLife = 15 * time.Minute
	// roleReserve is before the end, when credentials are no longer used: they have to outlive a call with all its tries.
	roleReserve = 5 * time.Minute
)

// Roles are the assumed roles of a process, each with the credentials that STS gave for it, until shortly before they expire.
// Safe for concurrent use.
type Roles struct {
	mutex sync.Mutex
	held  map[Role]*assumed
}

// NewRoles returns none.
func NewRoles() *Roles { return &Roles{held: map[Role]*assumed{}} }

// assumed is what STS gave for one role.
type assumed struct {
	turn        chan struct{} // holds one token: who has it may look, and ask STS
	credentials Credentials
	until       time.Time
}

// Provider gives a role's credentials. STS is asked with the options' credentials when somebody needs those of the role and
// there are none; many who need them at once wait for one answer. That they cannot be had is not remembered: the next call asks
// again. An empty endpoint is that of the options' region.
func (r *Roles) Provider(options Options, stsEndpoint string, role Role) (Provider, error) {
	c, err := openSTS(options, stsEndpoint)
	if err != nil {
		return nil, fmt.Errorf("assume role: %w", err)
	}
	a := r.of(role)
	return func(ctx context.Context) (Credentials, error) {
		select {
		case <-a.turn:
		case <-ctx.Done():
			return Credentials{}, ctx.Err()
		}
		defer func() { a.turn <- struct{}{} }()
		if time.Until(a.until) > roleReserve {
			return a.credentials, nil
		}
		credentials, until, err := c.assume(ctx, role)
		if err != nil {
			return Credentials{}, fmt.Errorf("assume role %s: %w", role.ARN, err)
		}
		a.credentials, a.until = credentials, until
		return credentials, nil
	}, nil
}

func (r *Roles) of(role Role) *assumed {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	a := r.held[role]
	if a == nil {
		a = &assumed{turn: make(chan struct{}, 1)}
		a.turn <- struct{}{}
		r.held[role] = a
	}
	return a
}

// assume asks STS for credentials of a role.
func (c *stsClient) assume(ctx context.Context, role Role) (Credentials, time.Time, error) {
	var answer struct {
		Credentials struct {
			AccessKeyID     text `json:"AccessKeyId"`
			AccessKeySecret text `json:"AccessKeySecret"`
			SecurityToken   text `json:"SecurityToken"`
			Expiration      text `json:"Expiration"`
		} `json:"Credentials"`
	}
	var until time.Time
	f := c.call(ctx, "AssumeRole", func() requests.AcsRequest {
		request := sts.CreateAssumeRoleRequest()
		request.RoleArn, request.RoleSessionName, request.ExternalId = role.ARN, role.Session, role.ExternalID
		request.DurationSeconds = requests.NewInteger(int(roleLife.Seconds()))
		return request
	}, func(body []byte) (err error) {
		if err = decodeJSON(body, &answer); err != nil {
			return err
		}
		if until, err = time.Parse(time.RFC3339, string(answer.Credentials.Expiration)); err != nil {
			return errors.New("credentials without an expiry")
		}
		if k := answer.Credentials; k.AccessKeyID == "" || k.AccessKeySecret == "" || k.SecurityToken == "" {
			return errors.New("no credentials")
		}
		return nil
	})
	if f != nil {
		return Credentials{}, time.Time{}, f.CallError
	}
	k := answer.Credentials
	return Credentials{
		AccessKeyID: string(k.AccessKeyID), AccessKeySecret: string(k.AccessKeySecret), SecurityToken: string(k.SecurityToken),
	}, until, nil
}
