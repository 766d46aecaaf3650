package alicloud

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imageferry/internal/export"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The token has characters that are escaped once in a query and twice in a string to sign.
var testCredentials = Credentials{
	AccessKeyID:     "STS.NTfakeKeyID0001",
	AccessKeySecret: "fakeSecretFakeSecretFakeSecret",
	SecurityToken:   "CAISfake/Token+With=Escapes==",
}

// A service is a loopback server that records the requests it gets.
type service struct {
	*httptest.Server
	mutex    sync.Mutex
	requests []*http.Request
}

func serve(t *testing.T, handle http.HandlerFunc) *service {
	t.Helper()
	s := new(service)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mutex.Lock()
		s.requests = append(s.requests, r)
		s.mutex.Unlock()
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// answers gives the first answer to the first request and so on, the last one to all further ones.
func answers(all ...http.HandlerFunc) http.HandlerFunc {
	var mutex sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		answer := all[0]
		if len(all) > 1 {
			all = all[1:]
		}
		mutex.Unlock()
		answer(w, r)
	}
}

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			_, _ = w.Write([]byte(body))
		}
	}
}

func jsonAnswer(status int, body string) http.HandlerFunc {
	return answer(status, "application/json;charset=utf-8", body)
}

func xmlAnswer(status int, body string) http.HandlerFunc {
	return answer(status, "application/xml", body)
}

// truncated promises more than it sends.
func truncated(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", fmt.Sprint(len(body)+100))
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// hangUp closes the connection without an answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func redirect(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
}

// echo answers an error whose text repeats the request, as services do with strings to sign.
func echo(status int, pattern string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.RawQuery + " " + url.QueryEscape(r.URL.RawQuery) + " " + r.Header.Get("Authorization") + " " +
			r.Header.Get("X-Oss-Security-Token") + " http://" + r.Host + r.URL.String()
		query = strings.NewReplacer("&", "&amp;", `"`, "", "<", "", ">", "").Replace(query)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, pattern, query)
	}
}

func (s *service) count() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.requests)
}

func (s *service) last() *http.Request {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.requests[len(s.requests)-1]
}

// open makes a session with both services at s, and waits too short to be noticed.
func open(t *testing.T, s *service, change ...func(*Options)) *Session {
	t.Helper()
	transport := NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	options := Options{
		Region:      "cn-hangzhou",
		AccountID:   "1234567890123456",
		Credentials: Static(testCredentials),
		ECSEndpoint: s.URL,
		OSSEndpoint: s.URL,
		HTTP:        transport,
		Version:     "1.2.3",
		Backoff:     Backoff{First: time.Microsecond, Max: time.Microsecond},
	}
	for _, c := range change {
		c(&options)
	}
	session, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// callError is the CallError in err; it also checks that nothing secret is shown.
func callError(t *testing.T, err error) *export.CallError {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	var e *export.CallError
	for unwrapped := err; unwrapped != nil; {
		if c, ok := unwrapped.(*export.CallError); ok {
			e = c
		}
		assertClean(t, fmt.Sprintf("%v %+v %#v", unwrapped, unwrapped, unwrapped))
		wrapper, ok := unwrapped.(interface{ Unwrap() error })
		if !ok {
			break
		}
		unwrapped = wrapper.Unwrap()
	}
	if e == nil {
		t.Fatalf("no CallError: %v", err)
	}
	return e
}

func assertClean(t *testing.T, shown string) {
	t.Helper()
	for _, secret := range []string{testCredentials.AccessKeyID, testCredentials.AccessKeySecret, testCredentials.SecurityToken} {
		once := url.QueryEscape(secret)
		for _, form := range []string{secret, once, url.QueryEscape(once)} {
			if strings.Contains(shown, form) {
				t.Errorf("shows %s: %s", form, shown)
			}
		}
	}
	for _, trace := range []string{"://", "Signature=", "Signature%3D"} {
		if i := strings.Index(shown, trace); i >= 0 && !strings.HasPrefix(shown[i+len(trace):], "***") {
			t.Errorf("shows %s: %s", trace, shown)
		}
	}
}

// assertSigned recomputes the signature of an RPC request: HMAC-SHA1 over the sorted query.
func assertSigned(t *testing.T, r *http.Request) {
	t.Helper()
	query := r.URL.Query()
	escape := func(s string) string {
		return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(s))
	}
	var pairs []string
	for name := range query {
		if name != "Signature" {
			pairs = append(pairs, escape(name)+"="+escape(query.Get(name)))
		}
	}
	sort.Strings(pairs)
	mac := hmac.New(sha1.New, []byte(testCredentials.AccessKeySecret+"&"))
	mac.Write([]byte(r.Method + "&%2F&" + escape(strings.Join(pairs, "&"))))
	if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); query.Get("Signature") != want {
		t.Errorf("signature %q, want %q", query.Get("Signature"), want)
	}
	for name, want := range map[string]string{
		"AccessKeyId": testCredentials.AccessKeyID, "SecurityToken": testCredentials.SecurityToken,
		"RegionId": "cn-hangzhou", "Version": "2014-05-26", "Format": "JSON",
	} {
		if query.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, query.Get(name), want)
		}
	}
}

// roundTripper is a transport without a network.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
