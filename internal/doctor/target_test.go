package doctor_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"imageferry/internal/alicloud"
	"imageferry/internal/config"
	"imageferry/internal/doctor"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ossd"
)

// TestTargets checks a target in another account: with its bucket, without it, and with a role that lets nobody in.
func TestTargets(t *testing.T) {
	t.Parallel()
	const id, external = "2234567890123456", "shop-4f1c2a9be07d"
	for name, c := range map[string]struct {
		bucket  *ossd.BucketSpec
		trusted bool
		want    []string // findings that are not ok
	}{
		"all is well":      {&ossd.BucketSpec{Region: "cn-beijing", OwnerID: id}, true, []string{"target-timer-follow", "target-timer-sweep"}},
		"no bucket":        {nil, true, []string{"target-bucket-exists"}},
		"a foreign bucket": {&ossd.BucketSpec{Region: "cn-shanghai", OwnerID: id}, true, []string{"target-bucket-region"}},
		"not trusted":      {nil, false, []string{"target-credentials"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clinic := healthy(t)
			p, err := clinic.AddPlace("cn-beijing", id)
			if err != nil {
				t.Fatal(err)
			}
			if c.bucket != nil {
				c.bucket.Name = "shop-golden"
				if err := clinic.OSS.CreateBucket(*c.bucket); err != nil {
					t.Fatal(err)
				}
			}
			trust := account.Policy{Version: "1", Statement: []account.Statement{{
				Effect: "Allow", Action: account.Strings{"sts:AssumeRole"}, Principal: &account.Principal{RAM: account.Strings{clinic.keys.ARN}},
				Condition: map[string]map[string]account.Strings{"StringEquals": {"sts:ExternalId": {external}}},
			}}}
			if !c.trusted {
				trust.Statement[0].Principal.RAM = account.Strings{"acs:ram::1234567890123456:role/imageferry"}
			}
			p.Directory.PutRole("imageferry-target", trust, account.Administrator())
			clinic.options.Targets = []doctor.Target{clinic.target(p.Directory.RoleARN("imageferry-target"), external, p.ECSEndpoint, p.OSSEndpoint)}
			report, err := clinic.examine()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range report.Findings {
				if f.Status == doctor.OK || !strings.HasPrefix(f.Check, "target-") {
					continue
				}
				got = append(got, f.Check)
				if !strings.HasPrefix(f.Seen, "shop: ") || len(f.Repair) == 0 || strings.Contains(f.Seen, external) {
					t.Errorf("%+v", f)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// target is one that the clinic's person may assume the role of.
func (c *clinic) target(role, externalID, ecs, oss string) doctor.Target {
	c.t.Helper()
	own := c.alicloud(c.keys)
	credentials, roleErr := alicloud.NewRoles().Provider(own, "http://"+c.Endpoints.STS, alicloud.Role{ARN: role, ExternalID: externalID, Session: "imageferry-doctor"})
	options := own
	options.Region, options.Credentials, options.ECSEndpoint, options.OSSEndpoint = "cn-beijing", credentials, "http://"+ecs, "http://"+oss
	session, err := alicloud.Open(options)
	accounts, accountErr := alicloud.OpenAccount(options, "http://"+c.Endpoints.STS, "http://"+c.Endpoints.RAM)
	if err := errors.Join(roleErr, err, accountErr); err != nil {
		c.t.Fatal(err)
	}
	settings := c.config.For(config.Target{Name: "shop", Region: "cn-beijing", Bucket: "shop-golden"}, c.Region)
	return doctor.Target{Name: "shop", Region: "cn-beijing", Config: settings, Cloud: doctor.Cloud{
		Identities: accounts, Roles: accounts, Compute: session.ECS, Storage: session.OSS, Store: session.OSS.Store("shop-golden"),
	}}
}
