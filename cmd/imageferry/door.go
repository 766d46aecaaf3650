package main

import (
	"crypto/rand"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// A door lets in who knows the key that was printed: a loopback address is open to everybody who uses the machine. The
// browser shows the key once, in the address, and a cookie from then on; programs show it as a bearer token.
type door struct {
	address, key string
	cookie       string // its name; browsers send one host's cookies to all of its ports
}

const keyField = "key"

func newDoor(address string) door {
	_, port, _ := net.SplitHostPort(address)
	return door{address: address, key: rand.Text(), cookie: "imageferry-ui-" + port}
}

// url leads through the door.
func (d door) url() string { return "http://" + d.address + "/?" + keyField + "=" + d.key }

func (d door) fits(key string) bool {
	return subtle.ConstantTimeCompare([]byte(key), []byte(d.key)) == 1
}

// guard answers itself who has no key.
func (d door) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		cookie, err := r.Cookie(d.cookie)
		switch bearer, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); {
		case d.fits(query.Get(keyField)):
			http.SetCookie(w, &http.Cookie{Name: d.cookie, Value: d.key, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
			w.Header().Set("Cache-Control", "no-store")
			query.Del(keyField)
			r.URL.RawQuery = query.Encode()
			// The key does not stay in the address; and that is one of ours, whatever the path begins with.
			http.Redirect(w, r, "/"+strings.TrimLeft(r.URL.RequestURI(), "/"), http.StatusSeeOther)
		case err == nil && d.fits(cookie.Value), isBearer && d.fits(bearer):
			h.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "Open the URL that imageferry ui has printed: it has the key in it.", http.StatusUnauthorized)
		}
	})
}
