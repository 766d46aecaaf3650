package ecsd

import (
	"maps"
	"net/http"
	"net/url"
	"strings"

	"imageferry/internal/localcloud/openapi"
)

// maxClientToken is the longest ClientToken, in ASCII characters.
const maxClientToken = 64

// A tokenUse is what a ClientToken stands for.
type tokenUse struct {
	parameters string // the call's, to tell a repetition from a different call
	id         string // what the call created
}

// usedToken returns what an earlier call with the same ClientToken created, or "". The caller holds the lock.
// Guess: tokens never expire, and belong to an action.
func (s *Server) usedToken(req *openapi.Request) (string, *openapi.Error) {
	token := req.Params.Get("ClientToken")
	if token == "" {
		return "", nil
	}
	if len(token) > maxClientToken || strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", openapi.Errorf(http.StatusBadRequest, "InvalidClientToken.Malformed", "The specified ClientToken is wrongly formed.")
	}
	use, ok := s.tokens[req.Action+" "+token]
	if ok && use.parameters != ownParameters(req.Params) {
		return "", openapi.Errorf(http.StatusBadRequest, "IdempotentParameterMismatch",
			"Request uses a client token in a previous request but is not identical to that request.")
	}
	return use.id, nil
}

func (s *Server) useToken(req *openapi.Request, id string) {
	if token := req.Params.Get("ClientToken"); token != "" {
		s.tokens[req.Action+" "+token] = tokenUse{parameters: ownParameters(req.Params), id: id}
	}
}

// ownParameters are the action's own parameters in one string.
func ownParameters(p openapi.Params) string {
	own := url.Values(maps.Clone(p))
	for _, name := range protocol {
		own.Del(name)
	}
	return own.Encode()
}
