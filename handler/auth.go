package handler

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// acs3 is the scheme of the signatures that FC's gateway verifies.
const acs3 = "ACS3-HMAC-SHA256"

// authorize tells whether the request may go on: nil, or the problem to answer with.
func (o Options) authorize(w http.ResponseWriter, r *http.Request) *problem {
	authorization := r.Header.Get("Authorization")
	switch {
	case o.Auth == "function":
		// With the trigger's authType function the gateway has verified the signature before it invoked us, and answered
		// 403 itself to everyone else. That somebody signed is all that is looked for here: it keeps the function shut when
		// its trigger is set to anonymous by mistake and the requests are unsigned. It does not prove a signature: behind
		// an anonymous trigger a made-up header passes. The trigger's authType is what protects.
		if scheme, _, _ := strings.Cut(authorization, " "); scheme == acs3 {
			return nil
		}
		w.Header().Set("WWW-Authenticate", acs3)
		return newProblem(http.StatusUnauthorized, reasonUnauthorized, "the request is not signed")
	case o.Auth == "token":
		scheme, token, _ := strings.Cut(authorization, " ")
		if strings.EqualFold(scheme, "Bearer") && o.Token != "" && sameSecret(token, o.Token) {
			return nil
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		return newProblem(http.StatusUnauthorized, reasonUnauthorized, "the bearer token is missing or wrong")
	default:
		return newProblem(http.StatusForbidden, reasonHTTPOff, "HTTP is off")
	}
}

// sameSecret compares without telling by its time how much, or how many bytes, were right.
func sameSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
