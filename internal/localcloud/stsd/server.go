// Package stsd is the embedded STS: temporary credentials of roles, and who a caller is.
package stsd

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/trace"
)

// A Server is the STS of one cloud, whose accounts' roles it knows. Its methods are safe for concurrent use.
type Server struct {
	dir     *account.Directory
	service openapi.Service
}

// New returns the STS of an account and the others of its cloud. A nil log stands for slog.Default().
func New(dir *account.Directory, tap *trace.Tap, log *slog.Logger) *Server {
	if log == nil {
		log = slog.Default()
	}
	s := &Server{dir: dir}
	s.service = openapi.Service{
		Name: "sts", Version: "2015-04-01", Directory: dir, Tap: tap, Log: log, Denied: denied(),
		Operations: map[string]openapi.Operation{
			"AssumeRole": {
				Required:  []string{"RoleArn", "RoleSessionName"},
				Resources: func(req *openapi.Request) []string { return []string{req.Params.Get("RoleArn")} },
				Apply:     s.assumeRole,
			},
			"GetCallerIdentity": {Apply: s.getCallerIdentity}, // needs no permission
		},
	}
	return s
}

// ServeHTTP answers one call of the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.service.ServeHTTP(w, r) }

func denied() *openapi.Error {
	return openapi.Errorf(http.StatusForbidden, "NoPermission", "You are not authorized to do this action. You should be authorized by RAM.")
}

var (
	roleARN     = regexp.MustCompile(`^acs:ram::(\d{16}):role/([0-9A-Za-z._-]{1,64})$`)
	sessionName = regexp.MustCompile(`^[0-9A-Za-z.@_-]{2,64}$`)
	externalID  = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
)

// Bounds of DurationSeconds. Guess: every role has the default maximum session duration.
const (
	minDuration = 900
	maxDuration = 3600
)

type assumeRoleResult struct {
	openapi.Header
	AssumedRoleUser struct {
		ARN           string `json:"Arn" xml:"Arn"`
		AssumedRoleID string `json:"AssumedRoleId" xml:"AssumedRoleId"`
	} `json:"AssumedRoleUser" xml:"AssumedRoleUser"`
	Credentials struct {
		AccessKeyID     string `json:"AccessKeyId" xml:"AccessKeyId"`
		AccessKeySecret string `json:"AccessKeySecret" xml:"AccessKeySecret"`
		SecurityToken   string `json:"SecurityToken" xml:"SecurityToken"`
		Expiration      string `json:"Expiration" xml:"Expiration"`
	} `json:"Credentials" xml:"Credentials"`
}

// assumeRole issues credentials of a role to a caller that the role trusts. A Policy, which would narrow them, is not
// modelled and therefore refused rather than ignored.
func (s *Server) assumeRole(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	p := req.Params
	arn := roleARN.FindStringSubmatch(p.Get("RoleArn"))
	session := p.Get("RoleSessionName")
	switch {
	case arn == nil:
		return nil, malformed("RoleArn")
	case !sessionName.MatchString(session):
		return nil, malformed("RoleSessionName")
	case p.Get("ExternalId") != "" && !externalID.MatchString(p.Get("ExternalId")):
		return nil, malformed("ExternalId")
	case p.Get("Policy") != "":
		return nil, openapi.Errorf(http.StatusBadRequest, "InvalidParameter.Policy", "Session policies are not supported by this STS.")
	}
	seconds, err := p.Int("DurationSeconds", maxDuration, minDuration, maxDuration)
	if err != nil {
		return nil, openapi.Errorf(http.StatusBadRequest, "InvalidParameter.DurationSeconds", "The Min/Max value of DurationSeconds is 15min/1hr.")
	}
	owner, ok := s.dir.Account(arn[1])
	if !ok {
		return nil, noSuchRole() // Guess: what is not there is told across accounts, too
	}
	identity, assumeErr := owner.AssumeByIdentity(req.Identity, arn[2], session, p.Get("ExternalId"), time.Duration(seconds)*time.Second)
	switch {
	case errors.Is(assumeErr, account.ErrNoSuchRole):
		return nil, noSuchRole()
	case assumeErr != nil:
		return nil, denied()
	}
	result := &assumeRoleResult{}
	result.AssumedRoleUser.ARN = identity.ARN
	result.AssumedRoleUser.AssumedRoleID = roleID(identity.RoleName) + ":" + session
	result.Credentials.AccessKeyID = identity.AccessKeyID
	result.Credentials.AccessKeySecret = identity.Secret
	result.Credentials.SecurityToken = identity.Token
	result.Credentials.Expiration = identity.Expires.UTC().Format("2006-01-02T15:04:05Z")
	return result, nil
}

func malformed(name string) *openapi.Error {
	return openapi.Errorf(http.StatusBadRequest, "InvalidParameter."+name, "The parameter %s is wrongly formed.", name)
}

func noSuchRole() *openapi.Error {
	return openapi.Errorf(http.StatusNotFound, "EntityNotExist.Role", "The specified Role not exists.")
}

type callerResult struct {
	openapi.Header
	IdentityType string `json:"IdentityType" xml:"IdentityType"`
	AccountID    string `json:"AccountId" xml:"AccountId"`
	PrincipalID  string `json:"PrincipalId" xml:"PrincipalId"`
	UserID       string `json:"UserId,omitempty" xml:"UserId,omitempty"`
	RoleID       string `json:"RoleId,omitempty" xml:"RoleId,omitempty"`
	ARN          string `json:"Arn" xml:"Arn"`
}

// getCallerIdentity tells a caller who it is. Guess: the ids, which the platform makes up for users and roles.
func (s *Server) getCallerIdentity(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	id := req.Identity
	last := id.ARN[strings.LastIndexByte(id.ARN, '/')+1:]
	result := &callerResult{AccountID: id.AccountID, ARN: id.ARN}
	if id.RoleName != "" {
		result.IdentityType, result.RoleID = "AssumedRoleUser", roleID(id.RoleName)
		result.PrincipalID = result.RoleID + ":" + last
	} else {
		result.IdentityType, result.UserID, result.PrincipalID = "RAMUser", userID(last), userID(last)
	}
	return result, nil
}
