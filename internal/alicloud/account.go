package alicloud

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ram"

	"imageferry/internal/alicloud/endpoint"
	"imageferry/internal/doctor"
)

// An Account is what STS and RAM tell of the account that the credentials belong to. It only reads. Safe for concurrent use.
type Account struct {
	options Options
	sts     string
	line    line // to RAM
	ram     rpc
}

var (
	_ doctor.Identities = (*Account)(nil)
	_ doctor.Roles      = (*Account)(nil)
)

// OpenAccount makes the clients of STS and RAM. Their endpoints are URLs or bare hosts, see endpoint.Parse; empty ones are
// the region's STS and the one RAM. An error is a mistake in the options.
func OpenAccount(options Options, stsEndpoint, ramEndpoint string) (*Account, error) {
	session, err := Open(options)
	if err != nil {
		return nil, err
	}
	if ramEndpoint == "" {
		ramEndpoint = "https://ram.aliyuncs.com"
	}
	at, err := endpoint.Parse(ramEndpoint)
	if err != nil {
		return nil, fmt.Errorf("open account: RAM endpoint %w", err)
	}
	return &Account{
		options: options,
		sts:     stsEndpoint,
		line:    session.ECS.line.to("ram"),
		ram:     rpc{region: options.Region, version: options.Version, endpoint: at},
	}, nil
}

// Caller tells whom the credentials belong to. It needs no permission.
func (a *Account) Caller(ctx context.Context) (doctor.Caller, error) {
	c, err := WhoAmI(ctx, a.options, a.sts)
	return doctor.Caller{AccountID: c.AccountID, ARN: c.ARN}, err
}

// Role reads a role with its trust policy.
func (a *Account) Role(ctx context.Context, name string) (doctor.Role, bool, error) {
	var answer struct {
		Role struct {
			ARN   text `json:"Arn"`
			Trust text `json:"AssumeRolePolicyDocument"`
		} `json:"Role"`
	}
	f := a.read(ctx, func() requests.AcsRequest {
		request := ram.CreateGetRoleRequest()
		request.RoleName = name
		return request
	}, func(body []byte) error { return decodeAnswer(body, &answer) })
	if f != nil {
		if strings.HasPrefix(f.Code, "EntityNotExist") {
			return doctor.Role{}, false, nil
		}
		return doctor.Role{}, false, f.CallError
	}
	return doctor.Role{Name: name, ARN: string(answer.Role.ARN), Trust: []byte(answer.Role.Trust)}, true, nil
}

// Policies reads the default versions of the policies attached to a role, one call for the list and one for each.
func (a *Account) Policies(ctx context.Context, role string) ([]doctor.Policy, error) {
	var attached struct {
		Policies list[struct {
			Name text `json:"PolicyName"`
			Type text `json:"PolicyType"`
		}] `json:"Policies"`
	}
	f := a.read(ctx, func() requests.AcsRequest {
		request := ram.CreateListPoliciesForRoleRequest()
		request.RoleName = role
		return request
	}, func(body []byte) error { return decodeAnswer(body, &attached) })
	if f != nil {
		return nil, f.CallError
	}
	var all []doctor.Policy
	for _, p := range attached.Policies {
		document, err := a.policy(ctx, string(p.Type), string(p.Name))
		if err != nil {
			return nil, err
		}
		all = append(all, doctor.Policy{Name: string(p.Name), Type: string(p.Type), Document: document})
	}
	return all, nil
}

func (a *Account) policy(ctx context.Context, kind, name string) ([]byte, error) {
	var answer struct {
		Version struct {
			Document text `json:"PolicyDocument"`
		} `json:"DefaultPolicyVersion"`
	}
	f := a.read(ctx, func() requests.AcsRequest {
		request := ram.CreateGetPolicyRequest()
		request.PolicyType, request.PolicyName = kind, name
		return request
	}, func(body []byte) error { return decodeAnswer(body, &answer) })
	if f != nil {
		return nil, f.CallError
	}
	return []byte(answer.Version.Document), nil
}

// read makes an idempotent call, under the same rules as those to ECS.
func (a *Account) read(ctx context.Context, build func() requests.AcsRequest, decode func([]byte) error) *fault {
	op := build().GetActionName()
	repeat := func(f *fault) bool { return f.again && !throttled(f.Code) }
	return a.line.call(ctx, op, maxAnswer, ecsTries, repeat, func(x *exchange, c Credentials) error {
		if err := a.ram.send(build(), x, c); err != nil {
			return err
		}
		if x.cut {
			return errors.New("too long")
		}
		return decode(x.body)
	})
}
