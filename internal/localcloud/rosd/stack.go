package rosd

import (
	"encoding/json"
	"fmt"
	"slices"

	"imageferry/internal/localcloud/fcd"
)

// stack puts together what the resolved resources are.
func (t *template) stack() Stack {
	stack := Stack{Outputs: t.outputs}
	var function *resource
	for _, id := range t.ids() {
		switch r := t.resources[id]; r.kindName {
		case bucketKind:
			stack.Buckets = append(stack.Buckets, t.bucket(r))
		case roleKind:
			stack.Roles = append(stack.Roles, t.role(r))
		case functionKind:
			if function != nil {
				t.problems.add(r.path, "a second function")
			}
			function = r
		}
	}
	for _, id := range t.ids() {
		if r := t.resources[id]; r.kindName == policyKind {
			t.attach(r, stack.Roles)
		}
	}
	if function == nil {
		t.problems.add("Resources", "no function")
		return stack
	}
	stack.Code = t.code(function)
	stack.Function = t.deployed(function)
	return stack
}

func (t *template) bucket(r *resource) Bucket {
	return Bucket{
		Name: t.text(r.path+".Properties.BucketName", r.properties["BucketName"]),
		ACL:  t.text(r.path+".Properties.AccessControl", r.properties["AccessControl"]),
	}
}

func (t *template) role(r *resource) Role {
	path := r.path + ".Properties"
	t.text(path+".Description", r.properties["Description"])
	role := Role{
		Name:  t.text(path+".RoleName", r.properties["RoleName"]),
		Trust: t.policy(path+".AssumeRolePolicyDocument", r.properties["AssumeRolePolicyDocument"]),
	}
	policies, ok := r.properties["Policies"].([]any)
	if !ok && r.properties["Policies"] != nil {
		t.problems.add(path+".Policies", "not a list")
	}
	for i, element := range policies {
		at := fmt.Sprintf("%s.Policies[%d]", path, i)
		p := t.mapping(at, element, "PolicyName", "PolicyDocument")
		if t.text(at+".PolicyName", p["PolicyName"]) == "" {
			t.problems.add(at+".PolicyName", "missing")
		}
		role.Permissions = append(role.Permissions, t.policy(at+".PolicyDocument", p["PolicyDocument"]))
	}
	return role
}

// attach gives a policy to the roles of the stack that it names.
func (t *template) attach(r *resource, roles []Role) {
	path := r.path + ".Properties"
	t.text(path+".PolicyName", r.properties["PolicyName"])
	t.text(path+".Description", r.properties["Description"])
	document := t.policy(path+".PolicyDocument", r.properties["PolicyDocument"])
	names, ok := r.properties["Roles"].([]any)
	if !ok && r.properties["Roles"] != nil {
		t.problems.add(path+".Roles", "not a list")
	}
	for i, name := range names {
		at := slices.IndexFunc(roles, func(role Role) bool { return role.Name == name })
		if at < 0 {
			t.problems.add(fmt.Sprintf("%s.Roles[%d]", path, i), "the stack has no role %v", name)
			continue
		}
		roles[at].Permissions = append(roles[at].Permissions, document)
	}
}

func (t *template) code(r *resource) Object {
	path := r.path + ".Properties.Code"
	code := t.mapping(path, r.properties["Code"], "OssBucketName", "OssObjectName")
	object := Object{
		Bucket: t.text(path+".OssBucketName", code["OssBucketName"]),
		Key:    t.text(path+".OssObjectName", code["OssObjectName"]),
	}
	if object.Bucket == "" || object.Key == "" {
		t.problems.add(path, "does not name an object")
	}
	return object
}

// deployed has Function Compute's own reader check the function, which is the same whoever deploys it.
func (t *template) deployed(r *resource) fcd.Spec {
	props, _ := lowered(r.properties).(object)
	name := r.properties["FunctionName"]
	props["code"] = "." // it comes from OSS, which s.yaml has no plain word for
	props["region"] = t.request.Region
	var triggers []any
	for _, id := range t.ids() {
		other := t.resources[id]
		if other.kindName != asyncKind && other.kindName != triggerKind {
			continue
		}
		if other.properties["FunctionName"] != name {
			t.problems.add(other.path+".Properties.FunctionName", "%v is not the function of the stack", other.properties["FunctionName"])
		}
		own, _ := lowered(other.properties).(object)
		delete(own, "functionName")
		if other.kindName == triggerKind {
			triggers = append(triggers, own)
			continue
		}
		if props["asyncInvokeConfig"] != nil {
			t.problems.add(other.path, "a second configuration of asynchronous invocations")
		}
		props["asyncInvokeConfig"] = own
	}
	props["triggers"] = triggers
	text, err := json.Marshal(object{
		"edition": "3.0.0", "name": "stack",
		"resources": object{"stack": object{"component": "fc3", "props": props}},
	})
	if err != nil {
		t.problems.add(r.path, "%v", err)
		return fcd.Spec{}
	}
	spec, err := fcd.ParseSpec(text, nil)
	if err != nil {
		t.problems.add(r.path, "%v", err)
	}
	return spec
}
