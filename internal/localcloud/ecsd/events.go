package ecsd

import (
	"encoding/json"
	"slices"
	"strings"

	"imageferry/internal/localcloud/eventbus"
	"imageferry/internal/localcloud/openapi"
)

// Events learns what happens in the server. Its methods are called concurrently, outside the server's locks, after the
// fact and in no guaranteed order, and must not block. Nothing is repeated.
type Events interface {
	// ImageStateChanged is called when an image reaches a state; after DeleteImage the state is "Deleted". The platform
	// also reports other changes of an image, with the state that it has.
	ImageStateChanged(imageID, state string)
	// APICalled is called after each write call of an authenticated caller, whether or not it succeeded.
	APICalled(eventbus.APICall)
}

// protocol are the parameters of the protocol rather than of an action. Some of them are secret.
var protocol = []string{"AccessKeyId", "Action", "Format", "SecurityToken", "Signature", "SignatureMethod", "SignatureNonce",
	"SignatureType", "SignatureVersion", "Timestamp", "Version"}

func (s *Server) stateChanged(imageID, state string) {
	if s.options.Events != nil {
		s.options.Events.ImageStateChanged(imageID, state)
	}
}

// called passes a finished write call on.
func (s *Server) called(req *openapi.Request, result openapi.Result, err *openapi.Error) {
	if s.options.Events == nil || strings.HasPrefix(req.Action, "Describe") {
		return
	}
	call := eventbus.APICall{
		EventName: req.Action, RequestID: req.RequestID,
		RequestParameters:   map[string]any{},
		ReferencedResources: map[string][]string{},
		PrincipalARN:        req.Identity.ARN, PrincipalType: "ram-user", AccountID: req.Identity.AccountID,
		Region: s.options.Region, Time: req.Time.UTC(), SourceIP: req.SourceIP, UserAgent: req.UserAgent,
	}
	if req.Identity.RoleName != "" {
		call.PrincipalType = "assumed-role"
	}
	for name := range req.Params {
		if !slices.Contains(protocol, name) {
			call.RequestParameters[name] = req.Params.Get(name)
		}
	}
	images := req.Params.List("ResourceId")
	if id := req.Params.Get("ImageId"); id != "" {
		images = append(images, id)
	}
	if err != nil {
		call.ErrorCode, call.ErrorMessage = err.Code, err.Message
	} else {
		call.ResponseElements = elements(result)
		if id, ok := call.ResponseElements["ImageId"].(string); ok {
			images = append(images, id)
		}
	}
	if len(images) > 0 {
		call.ReferencedResources["ACS::ECS::Image"] = images
	}
	s.options.Events.APICalled(call)
}

// elements is the answer as JSON has it.
func elements(result openapi.Result) map[string]any {
	var m map[string]any
	if data, err := json.Marshal(result); err == nil {
		_ = json.Unmarshal(data, &m) // what Marshal wrote is readable
	}
	return m
}
