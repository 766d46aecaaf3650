// Package ramd is the embedded RAM as far as somebody reads it: roles, and the policies attached to them.
package ramd

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/trace"
)

// A Server is the RAM of one account. Its methods are safe for concurrent use.
type Server struct {
	dir     *account.Directory
	service openapi.Service
}

// New returns the RAM of an account. A nil log stands for slog.Default().
func New(dir *account.Directory, tap *trace.Tap, log *slog.Logger) *Server {
	if log == nil {
		log = slog.Default()
	}
	s := &Server{dir: dir}
	s.service = openapi.Service{
		Name: "ram", Version: "2015-05-01", Directory: dir, Tap: tap, Log: log,
		Denied: openapi.Errorf(http.StatusForbidden, "NoPermission", "You are not authorized to do this action. You should be authorized by RAM."),
		Operations: map[string]openapi.Operation{
			"GetRole":             {Required: []string{"RoleName"}, Resources: s.roleResource, Apply: s.getRole},
			"ListPoliciesForRole": {Required: []string{"RoleName"}, Resources: s.roleResource, Apply: s.listPoliciesForRole},
			"GetPolicy":           {Required: []string{"PolicyType", "PolicyName"}, Resources: s.policyResource, Apply: s.getPolicy},
		},
	}
	return s
}

// ServeHTTP answers one call of the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.service.ServeHTTP(w, r) }

func (s *Server) roleResource(req *openapi.Request) []string {
	return []string{fmt.Sprintf("acs:ram:*:%s:role/%s", s.dir.ID(), req.Params.Get("RoleName"))}
}

func (s *Server) policyResource(req *openapi.Request) []string {
	owner := s.dir.ID()
	if req.Params.Get("PolicyType") == "System" {
		owner = "system"
	}
	return []string{fmt.Sprintf("acs:ram:*:%s:policy/%s", owner, req.Params.Get("PolicyName"))}
}

type roleResult struct {
	openapi.Header
	Role struct {
		RoleName                 string `json:"RoleName" xml:"RoleName"`
		ARN                      string `json:"Arn" xml:"Arn"`
		AssumeRolePolicyDocument string `json:"AssumeRolePolicyDocument" xml:"AssumeRolePolicyDocument"`
	} `json:"Role" xml:"Role"`
}

func (s *Server) getRole(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	name := req.Params.Get("RoleName")
	trust, _, ok := s.dir.Role(name)
	if !ok {
		return nil, noSuchRole()
	}
	result := &roleResult{}
	result.Role.RoleName = name
	result.Role.ARN = s.dir.RoleARN(name)
	result.Role.AssumeRolePolicyDocument = document(trust)
	return result, nil
}

type policyView struct {
	PolicyName     string `json:"PolicyName" xml:"PolicyName"`
	PolicyType     string `json:"PolicyType" xml:"PolicyType"`
	DefaultVersion string `json:"DefaultVersion" xml:"DefaultVersion"`
}

type policiesResult struct {
	openapi.Header
	Policies struct {
		Policy []policyView `json:"Policy" xml:"Policy"`
	} `json:"Policies" xml:"Policies"`
}

// listPoliciesForRole names the policies of a role, which the directory keeps without names, <role>-1, <role>-2 and so on.
func (s *Server) listPoliciesForRole(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	name := req.Params.Get("RoleName")
	_, permissions, ok := s.dir.Role(name)
	if !ok {
		return nil, noSuchRole()
	}
	result := &policiesResult{}
	result.Policies.Policy = []policyView{}
	for i := range permissions {
		result.Policies.Policy = append(result.Policies.Policy, policyView{
			PolicyName: name + "-" + strconv.Itoa(i+1), PolicyType: "Custom", DefaultVersion: defaultVersion,
		})
	}
	return result, nil
}

const defaultVersion = "v1"

var policyName = regexp.MustCompile(`^(.+)-([1-9][0-9]{0,3})$`)

type policyResult struct {
	openapi.Header
	Policy               policyView `json:"Policy" xml:"Policy"`
	DefaultPolicyVersion struct {
		VersionID        string `json:"VersionId" xml:"VersionId"`
		IsDefaultVersion bool   `json:"IsDefaultVersion" xml:"IsDefaultVersion"`
		PolicyDocument   string `json:"PolicyDocument" xml:"PolicyDocument"`
	} `json:"DefaultPolicyVersion" xml:"DefaultPolicyVersion"`
}

func (s *Server) getPolicy(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	name := req.Params.Get("PolicyName")
	match := policyName.FindStringSubmatch(name)
	if match == nil || req.Params.Get("PolicyType") != "Custom" {
		return nil, noSuchPolicy()
	}
	_, permissions, ok := s.dir.Role(match[1])
	n, err := strconv.Atoi(match[2])
	if !ok || err != nil || n > len(permissions) {
		return nil, noSuchPolicy()
	}
	result := &policyResult{Policy: policyView{PolicyName: name, PolicyType: "Custom", DefaultVersion: defaultVersion}}
	result.DefaultPolicyVersion.VersionID = defaultVersion
	result.DefaultPolicyVersion.IsDefaultVersion = true
	result.DefaultPolicyVersion.PolicyDocument = document(permissions[n-1])
	return result, nil
}

// document writes a policy as RAM answers it: JSON within a string.
func document(p account.Policy) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p) // a struct of strings always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

func noSuchRole() *openapi.Error {
	return openapi.Errorf(http.StatusNotFound, "EntityNotExist.Role", "The role not exists.") // Guess: message
}

func noSuchPolicy() *openapi.Error {
	return openapi.Errorf(http.StatusNotFound, "EntityNotExist.Policy", "The policy not exists.") // Guess: message
}
