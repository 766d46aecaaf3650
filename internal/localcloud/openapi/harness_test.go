package openapi_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/trace"
)

const accountID = "1234567890123456"

// echo answers with a parameter, in a list.
type echo struct {
	openapi.Header
	Words struct {
		Word []string `json:"Word" xml:"Word"`
	} `json:"Words" xml:"Words"`
}

type world struct {
	dir     *account.Directory
	tap     *trace.Tap
	service *openapi.Service
	server  *httptest.Server
	admin   account.Identity
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: account.New(accountID), tap: trace.NewTap(0)}
	w.admin = w.dir.PutUser("admin", account.Administrator())
	w.service = &openapi.Service{
		Name: "svc", Version: "2014-05-26", Directory: w.dir, Tap: w.tap, Log: slog.New(slog.DiscardHandler),
		Denied: openapi.Errorf(http.StatusForbidden, "Forbidden.RAM", "denied"),
		Operations: map[string]openapi.Operation{"Echo": {
			Required:  []string{"Word"},
			Resources: func(req *openapi.Request) []string { return []string{"acs:svc:*:*:word/" + req.Params.Get("Word")} },
			Apply: func(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
				if req.Params.Get("Word") == "<bad>" {
					return nil, openapi.Errorf(http.StatusConflict, "BadWord", "The word %q & others.", "<bad>")
				}
				result := &echo{}
				result.Words.Word = append(result.Words.Word, req.Params.Get("Word"))
				return result, nil
			},
		}},
	}
	w.server = httptest.NewServer(w.service)
	t.Cleanup(w.server.Close)
	return w
}

func params(pairs ...string) url.Values {
	v := url.Values{"Action": {"Echo"}, "Version": {"2014-05-26"}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// send sends parameters as they are, in the query of a GET or the form of a POST.
func (w *world) send(t *testing.T, method string, v url.Values) (int, string) {
	t.Helper()
	status, body, err := w.try(method, v)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

func (w *world) try(method string, v url.Values) (int, string, error) {
	target, body := w.server.URL+"/?"+v.Encode(), ""
	if method == http.MethodPost {
		target, body = w.server.URL, v.Encode()
	}
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(req)
}

func do(req *http.Request) (int, string, error) {
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func (w *world) signed(method string, v url.Values) url.Values {
	openapi.SignRPC(method, v, w.admin, time.Now())
	return v
}

func code(t *testing.T, body string) string {
	t.Helper()
	var e struct{ RequestId, HostId, Code, Message string }
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("decode %s: %v", body, err)
	}
	if e.RequestId == "" || (e.Code != "" && e.HostId == "") {
		t.Errorf("answer %s lacks an id", body)
	}
	return e.Code
}
