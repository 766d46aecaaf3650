package ramd_test

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ram"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ramd"
	"imageferry/internal/localcloud/trace"
)

const accountID = "1234567890123456"

func TestReadRoles(t *testing.T) {
	t.Parallel()
	dir := account.New(accountID)
	trust := account.Policy{Version: "1", Statement: []account.Statement{{
		Effect: "Allow", Action: account.Strings{"sts:AssumeRole"}, Principal: &account.Principal{Service: account.Strings{"ecs.aliyuncs.com"}},
	}}}
	dir.PutRole("exports", trust, account.Administrator())
	server := httptest.NewServer(ramd.New(dir, trace.NewTap(0), slog.New(slog.DiscardHandler)))
	t.Cleanup(server.Close)
	client := func(keys account.Identity) *ram.Client {
		c, err := ram.NewClientWithOptions("cn-hangzhou", sdk.NewConfig().WithScheme("HTTP"),
			credentials.NewAccessKeyCredential(keys.AccessKeyID, keys.Secret))
		if err != nil {
			t.Fatal(err)
		}
		c.Domain = strings.TrimPrefix(server.URL, "http://")
		return c
	}
	admin := client(dir.PutUser("admin", account.Administrator()))

	get := ram.CreateGetRoleRequest()
	get.RoleName = "exports"
	role, err := admin.GetRole(get)
	if err != nil || role.Role.Arn != "acs:ram::"+accountID+":role/exports" ||
		!strings.Contains(role.Role.AssumeRolePolicyDocument, `"Service":["ecs.aliyuncs.com"]`) {
		t.Errorf("role is %+v, %v", role.Role, err)
	}
	list := ram.CreateListPoliciesForRoleRequest()
	list.RoleName = "exports"
	policies, err := admin.ListPoliciesForRole(list)
	if err != nil || len(policies.Policies.Policy) != 1 {
		t.Fatalf("policies are %+v, %v", policies.Policies, err)
	}
	read := ram.CreateGetPolicyRequest()
	read.PolicyType, read.PolicyName = policies.Policies.Policy[0].PolicyType, policies.Policies.Policy[0].PolicyName
	policy, err := admin.GetPolicy(read)
	if err != nil || !strings.Contains(policy.DefaultPolicyVersion.PolicyDocument, `"Action":["*"]`) {
		t.Errorf("policy is %+v, %v", policy.DefaultPolicyVersion, err)
	}

	absent := ram.CreateGetRoleRequest()
	absent.RoleName = "absent"
	if _, err := admin.GetRole(absent); err == nil || !strings.Contains(err.Error(), "EntityNotExist.Role") {
		t.Errorf("an absent role: %v", err)
	}
	none := ram.CreateGetPolicyRequest()
	none.PolicyType, none.PolicyName = "Custom", "exports-2"
	if _, err := admin.GetPolicy(none); err == nil || !strings.Contains(err.Error(), "EntityNotExist.Policy") {
		t.Errorf("an absent policy: %v", err)
	}
	again := ram.CreateGetRoleRequest()
	again.RoleName = "exports"
	if _, err := client(dir.PutUser("nobody")).GetRole(again); err == nil || !strings.Contains(err.Error(), "NoPermission") {
		t.Errorf("without permission: %v", err)
	}
}
