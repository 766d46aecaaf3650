package ossd

import (
	"net/http"
	"strings"
	"time"

	"imageferry/internal/localcloud/account"
)

// maxSkew is how far a signed request's time may be from the server's.
const maxSkew = 15 * time.Minute

// A signature is what a request claims about its signer, in any of the four forms that OSS accepts.
type signature struct {
	accessKeyID string
	// token is the security token, empty for long-term keys.
	token string
	// verify recomputes the signature with the secret of the access key.
	verify func(secret string) bool
	// signedAt is checked against the clock; zero for a V1 URL, which carries only its end.
	signedAt time.Time
	// notAfter is when a signed URL ends; zero for a signed header, which the clock check covers.
	notAfter time.Time
}

// authenticate finds out who sends a request. A request without any signature is anonymous: the zero Identity.
func (s *Server) authenticate(r *request, now time.Time) (account.Identity, *Error) {
	var sig signature
	var err *Error
	authorization := r.header.Get("Authorization")
	switch {
	case strings.HasPrefix(authorization, schemeV4+" "):
		sig, err = s.headerV4(r, authorization)
	case strings.HasPrefix(authorization, "OSS "):
		sig, err = headerV1(r, authorization)
	case authorization != "":
		err = invalidArgument("Authorization header is invalid.")
	case r.query.Has("x-oss-signature"):
		sig, err = s.urlV4(r)
	case r.query.Has("Signature"):
		sig, err = urlV1(r)
	default:
		return account.Identity{}, nil
	}
	if err != nil {
		return account.Identity{}, err
	}
	return s.check(sig, now)
}

// check judges a signature in the order: time, key, signature, token.
func (s *Server) check(sig signature, now time.Time) (account.Identity, *Error) {
	switch {
	case sig.notAfter.IsZero():
		if now.Sub(sig.signedAt).Abs() > maxSkew {
			return account.Identity{}, requestTimeTooSkewed(sig.signedAt, now)
		}
	case now.After(sig.notAfter):
		return account.Identity{}, accessDenied("Request has expired.", "")
	case sig.signedAt.Sub(now) > maxSkew:
		return account.Identity{}, accessDenied("Request is not valid yet.", "0002-00000235") // Guess: code and message
	}
	identity, err := s.dir.Lookup(sig.accessKeyID)
	if err != nil {
		return account.Identity{}, invalidAccessKeyID()
	}
	if !sig.verify(identity.Secret) {
		// OSS adds the string to sign to this answer; it is left out here, because it contains the security token.
		return account.Identity{}, &Error{Status: http.StatusForbidden, Code: "SignatureDoesNotMatch", EC: "0002-00000040",
			Message: "The request signature we calculated does not match the signature you provided. " +
				"Check your key and signing method."}
	}
	if err := s.checkToken(identity, sig.token, now); err != nil {
		return account.Identity{}, err
	}
	return identity, nil
}

// checkToken judges the security token that came with an access key.
func (s *Server) checkToken(identity account.Identity, token string, now time.Time) *Error {
	switch {
	case token == "" && identity.Token != "":
		// Guess: to OSS, temporary keys without their token are unknown keys.
		return invalidAccessKeyID()
	case token != identity.Token && s.dir.IssuedToken(token):
		return &Error{Status: http.StatusForbidden, Code: "AccessKeyIdAndSecurityTokenNotMatch",
			Message: "The OSS access key id and security token you provided does not match."}
	case token != identity.Token:
		return &Error{Status: http.StatusForbidden, Code: "InvalidSecurityToken",
			Message: "The security token you provided is invalid."}
	case token != "" && !now.Before(identity.Expires):
		return &Error{Status: http.StatusForbidden, Code: "SecurityTokenExpired",
			Message: "The security token you provided has expired."}
	}
	return nil
}

func invalidAccessKeyID() *Error {
	return &Error{Status: http.StatusForbidden, Code: "InvalidAccessKeyId", EC: "0002-00000040",
		Message: "The OSS Access Key Id you provided does not exist in our records."}
}
