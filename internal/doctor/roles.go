package doctor

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"imageferry/policy"
)

// A roleSpec is a role that has to exist, and what it needs.
type roleSpec struct {
	check       string // begins the codes of its findings
	name        string
	service     string // that assumes it
	trust       string // names of documents of package policy
	permissions string
	attach      string // the policy that the repair creates
	resources   []string
	prefix      string // of what is listed; that of the queue when empty
}

// defaultExportRole is the only name that ECS documents.
const defaultExportRole = "AliyunECSImageExportDefaultRole"

func (e *examination) roles(ctx context.Context) {
	name := e.options.Config.ExportRole
	if name != defaultExportRole {
		e.unknown("export-role-name", name, fmt.Sprintf("ECS documents no other name of the role than %s, this is %s", defaultExportRole, name),
			"Remove FERRY_EXPORT_ROLE from environmentVariables of s.yaml; then: s deploy -y")
	}
	e.role(ctx, roleSpec{
		check: "export-role", name: name, service: "ecs.aliyuncs.com", trust: policy.ExportTrust,
		permissions: policy.ExportPermissions, attach: "imageferry-export", resources: e.exportResources(),
	})
	e.role(ctx, roleSpec{
		check: "function-role", name: e.options.FunctionRole, service: "fc.aliyuncs.com", trust: policy.FunctionTrust,
		permissions: policy.FunctionPermissions, attach: "imageferry", resources: e.functionResources(),
	})
	e.restoreRoles(ctx)
}

func (e *examination) role(ctx context.Context, spec roleSpec) {
	role, found, err := e.Roles.Role(ctx, spec.name)
	switch {
	case err != nil:
		e.unknown(spec.check, spec.name, err.Error(), "aliyun ram GetRole --RoleName "+spec.name,
			"aliyun ram ListPoliciesForRole --RoleName "+spec.name)
		return
	case !found:
		e.problem(spec.check, spec.name, fmt.Sprintf("role %s does not exist", spec.name), append([]string{
			fmt.Sprintf("aliyun ram CreateRole --RoleName %s --AssumeRolePolicyDocument '%s'", spec.name, e.document(spec.trust)),
		}, e.grant(spec)...)...)
		return
	}
	e.ok(spec.check, spec.name, fmt.Sprintf("role %s exists", spec.name))
	e.trust(spec, role)
	e.permissions(ctx, spec)
}

func (e *examination) trust(spec roleSpec, role Role) {
	check := spec.check + "-trust"
	trust, err := parseDocument(role.Trust)
	switch {
	case err != nil:
		e.unknown(check, spec.name, err.Error(), "aliyun ram GetRole --RoleName "+spec.name)
	case trust.trusts(spec.service):
		e.ok(check, spec.name, spec.service+" may assume it")
	default:
		who := strings.Join(trust.services(), ", ")
		if who == "" {
			who = "no service"
		}
		e.problem(check, spec.name, fmt.Sprintf("%s may not assume it, %s may", spec.service, who),
			fmt.Sprintf("aliyun ram UpdateRole --RoleName %s --NewAssumeRolePolicyDocument '%s'", spec.name, e.document(spec.trust)))
	}
}

// permissions evaluates what is attached to the role against what it needs.
func (e *examination) permissions(ctx context.Context, spec roleSpec) {
	check := spec.check + "-permissions"
	list := "aliyun ram ListPoliciesForRole --RoleName " + spec.name
	attached, err := e.Roles.Policies(ctx, spec.name)
	if err != nil {
		e.unknown(check, spec.name, err.Error(), list)
		return
	}
	var policies []named
	for _, p := range attached {
		d, err := parseDocument(p.Document)
		if err != nil {
			e.unknown(check, spec.name, fmt.Sprintf("policy %s: %v", p.Name, err),
				fmt.Sprintf("aliyun ram GetPolicy --PolicyType %s --PolicyName %s", p.Type, p.Name))
			return
		}
		policies = append(policies, named{p.Name, d})
	}
	needs, err := e.needs(spec)
	if err != nil {
		e.unknown(check, spec.name, err.Error(), list)
		return
	}
	var missing, open []string
	for _, n := range needs {
		what := n.action + " on " + n.resource
		switch v, by := judge(policies, n); v {
		case notAllowed:
			missing = append(missing, what)
		case refused:
			missing = append(missing, what+" (denied by "+by+")")
		case conditional:
			open = append(open, what+" (under conditions in "+by+")")
		}
	}
	switch {
	case len(missing) > 0:
		e.problem(check, spec.name, "it lacks "+some(missing), e.grant(spec)...)
	case len(open) > 0:
		e.unknown(check, spec.name, "it depends on conditions: "+some(open), list)
	default:
		e.ok(check, spec.name, fmt.Sprintf("its policies allow all %d things that it does", len(needs)))
	}
}

// needs are the actions of the role's document, each on the resources that it is carried out on.
func (e *examination) needs(spec roleSpec) ([]need, error) {
	text, err := policy.Render(spec.permissions, e.vars())
	if err != nil {
		return nil, err
	}
	d, err := parseDocument(text)
	if err != nil {
		return nil, err
	}
	var all []need
	for _, s := range d.Statement {
		for _, action := range s.Action {
			// Guess: the function's role needs mns:SendMessage. One that lacks it works as long as no event fails.
			if strings.HasPrefix(action, "mns:") {
				continue
			}
			for _, resource := range s.on(action, spec.resources) {
				all = append(all, need{action, resource, map[string]string{
					"oss:Prefix": cmp.Or(spec.prefix, e.layout.Active()+"queued/"), "acs:SecureTransport": "true",
				}})
			}
		}
	}
	return all, nil
}

// on are the resources, among those given, that the action is for and that the statement is about.
func (s statement) on(action string, resources []string) []string {
	if slices.Contains(s.Resource, "*") {
		return []string{"*"}
	}
	var all []string
	for _, r := range resources {
		if s.covers(r) && (!strings.HasPrefix(action, "oss:") || ofBucket[action] == !strings.Contains(r, "/")) {
			all = append(all, r)
		}
	}
	return all
}

// ofBucket are the actions that are carried out on a bucket, not on its objects.
var ofBucket = map[string]bool{
	"oss:GetBucketInfo": true, "oss:GetBucketLocation": true, "oss:ListMultipartUploads": true, "oss:ListObjects": true,
}

// sampleImage stands for any image.
const sampleImage = "m-00000000000000000000"

// exportResources are a bucket and an object as ECS writes it, in RAM's notation.
func (e *examination) exportResources() []string {
	object := sampleImage + "_system.raw.tar.gz"
	if e.at.Prefix != "" {
		object = e.at.Prefix + "_" + object
	}
	bucket := e.oss(e.at.Bucket)
	return []string{bucket, bucket + "/" + object}
}

// functionResources are what the function works on: beside those of an export, one object of each kind of its own, and an
// image.
func (e *examination) functionResources() []string {
	manifests := e.oss(e.options.Config.ManifestBucket)
	all := append(e.exportResources(),
		manifests+"/"+e.layout.Journal(e.at, sampleImage)+"00000001.json",
		manifests+"/"+e.layout.Manifest(e.at, sampleImage),
		manifests+"/"+e.layout.Active()+"hold",
		fmt.Sprintf("acs:ecs:%s:%s:image/%s", e.options.Region, e.caller.AccountID, sampleImage),
	)
	if !slices.Contains(all, manifests) {
		all = append(all, manifests)
	}
	return all
}

func (e *examination) oss(bucket string) string {
	return fmt.Sprintf("acs:oss:oss-%s:%s:%s", e.options.Region, e.caller.AccountID, bucket)
}

// grant are the commands that give a role all that it needs.
func (e *examination) grant(spec roleSpec) []string {
	return []string{
		fmt.Sprintf("aliyun ram CreatePolicy --PolicyName %s --PolicyDocument '%s'", spec.attach, e.document(spec.permissions)),
		fmt.Sprintf("aliyun ram AttachPolicyToRole --PolicyType Custom --PolicyName %s --RoleName %s", spec.attach, spec.name),
	}
}

// document is a policy on one line, for a shell, or where to find it when it cannot be rendered.
func (e *examination) document(name string) string {
	text, err := policy.Render(name, e.vars())
	var line bytes.Buffer
	if err != nil || json.Compact(&line, text) != nil {
		return "<policy/" + name + ">"
	}
	return line.String()
}

// some joins a list, shortened when it is long.
func some(list []string) string {
	const most = 4
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
