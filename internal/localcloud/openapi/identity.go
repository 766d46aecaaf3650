package openapi

import (
	"net/http"
	"strings"
	"time"

	"imageferry/internal/localcloud/account"
)

// clockSkew is how far a request's time may be from the server's, either way.
const clockSkew = 15 * time.Minute

// identify finds who owns the access key and checks the security token that came with it. The signature is not checked.
func identify(dir *account.Directory, accessKeyID, token string) (account.Identity, *Error) {
	identity, err := dir.Lookup(accessKeyID)
	if err != nil || (identity.Token != "" && token == "") {
		// Guess: temporary keys without their token are reported as unknown keys.
		return account.Identity{}, Errorf(http.StatusNotFound, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
	}
	if token != identity.Token {
		if !dir.IssuedToken(token) {
			return account.Identity{}, Errorf(http.StatusBadRequest, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.")
		}
		return account.Identity{}, Errorf(http.StatusBadRequest, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey.")
	}
	if token != "" && !time.Now().Before(identity.Expires) {
		return account.Identity{}, Errorf(http.StatusBadRequest, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
	}
	return identity, nil
}

// checkTime refuses a request whose time, in the layout 2006-01-02T15:04:05Z, is malformed or too far from the server's.
func checkTime(stamp string) *Error {
	t, err := time.Parse(time.RFC3339, stamp)
	if err != nil || !strings.HasSuffix(stamp, "Z") {
		return Errorf(http.StatusBadRequest, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
	}
	if d := time.Since(t); d > clockSkew || d < -clockSkew {
		return Errorf(http.StatusBadRequest, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
	}
	return nil
}
