package page

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	minKey = 32
	// tokenLife is how long a form may stay open.
	tokenLife   = 12 * time.Hour
	sessionSize = 16
	tokenField  = "csrf"
)

// errForged: the form was not made by this page for this browser, or too long ago.
var errForged = errors.New("the form is not from this page")

// DeriveKey makes Options.Key of a secret that all instances of a function have in their configuration, such as the token of
// its HTTP requests. The key does not reveal the secret, and is good for nothing but the page's forms.
func DeriveKey(secret string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "imageferry status page forms v1", minKey)
	if err != nil {
		return nil, fmt.Errorf("derive key of forms: %w", err)
	}
	return key, nil
}

// A guard keeps other sites from sending our forms with a visitor's browser. It keeps nothing itself: the instances of a
// function share no memory, and which one answers is chance. So the browser keeps a random session in a cookie that it never
// sends along with requests of other sites (SameSite=Strict) or shows to scripts, and each form has a token that only who knows
// the key could have made for that session and time. Beside that the browser has to say that the request comes from this origin
// (Sec-Fetch-Site, or Origin in older ones): a cookie that a sibling domain has planted is worth nothing. Guess: the HTTP trigger
// of Function Compute hands both headers over, as it documents for all; if it did not, every form would be refused.
type guard struct {
	key    []byte
	cookie string
	secure bool
	origin *http.CrossOriginProtection
}

func newGuard(key []byte, plainHTTP bool) *guard {
	if len(key) < minKey {
		panic(fmt.Sprintf("page: the key of the forms has %d bytes, not %d", len(key), minKey))
	}
	g := &guard{key: key, cookie: "__Host-imageferry", secure: true, origin: http.NewCrossOriginProtection()}
	if plainHTTP {
		g.cookie, g.secure = "imageferry", false // browsers take __Host- with Secure alone
	}
	return g
}

// token returns a token for the forms of a page, and gives the browser a session if it has none. A browser that comes by a link
// of another site does not show its session, and gets a new one: forms in its other tabs then have to be loaded again.
func (g *guard) token(w http.ResponseWriter, r *http.Request, now time.Time) string {
	session, ok := g.session(r)
	if !ok {
		random := make([]byte, sessionSize)
		_, _ = rand.Read(random) // never fails
		session = base64.RawURLEncoding.EncodeToString(random)
		http.SetCookie(w, &http.Cookie{
			Name: g.cookie, Value: session, Path: "/", Secure: g.secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		})
	}
	until := strconv.FormatInt(now.Add(tokenLife).Unix(), 36)
	return until + "." + g.mac(session, until)
}

// session is the one of the request's cookie, if it looks like one of ours.
func (g *guard) session(r *http.Request) (string, bool) {
	c, err := r.Cookie(g.cookie)
	if err != nil {
		return "", false
	}
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	return c.Value, err == nil && len(raw) == sessionSize
}

func (g *guard) mac(session, until string) string {
	h := hmac.New(sha256.New, g.key)
	_, _ = h.Write([]byte(session + "." + until)) // never fails
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// check tells whether a form was sent from a page that this browser has got from us.
func (g *guard) check(r *http.Request, now time.Time) error {
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		return fmt.Errorf("%w: the browser does not say where it comes from", errForged)
	}
	if err := g.origin.Check(r); err != nil {
		return fmt.Errorf("%w: %v", errForged, err)
	}
	session, ok := g.session(r)
	if !ok {
		return fmt.Errorf("%w: there is no cookie", errForged)
	}
	until, mac, _ := strings.Cut(r.PostFormValue(tokenField), ".")
	if !hmac.Equal([]byte(mac), []byte(g.mac(session, until))) {
		return fmt.Errorf("%w: the token is wrong", errForged)
	}
	if end, err := strconv.ParseInt(until, 36, 64); err != nil || now.Unix() > end {
		return fmt.Errorf("%w: the token has expired", errForged)
	}
	return nil
}
