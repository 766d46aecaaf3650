package openapi_test

import (
	"net/http"
	"testing"

	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/trace"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		fault   trace.Fault
		status  int // 0 for a cut connection
		code    string
		applied bool
	}{
		{"none", trace.Fault{}, 200, "", true},
		{"refuse", trace.Fault{Refuse: &trace.Refusal{Status: 400, Code: "Throttling.User", Message: "Request was denied due to user flow control."}}, 400, "Throttling.User", false},
		{"cut before", trace.Fault{Cut: trace.CutBefore}, 0, "", false},
		{"cut after", trace.Fault{Cut: trace.CutAfter}, 0, "", true},
		{"mangle", trace.Fault{Mangle: func(int, []byte) (int, []byte) {
			return 502, []byte(`{"RequestId":"x","HostId":"y","Code":"Mangled"}`)
		}}, 502, "Mangled", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			done := 0
			w.service.Done = func(*openapi.Request, openapi.Result, *openapi.Error) { done++ }
			w.tap.Inject(func(trace.Call) trace.Fault { return test.fault })
			status, body, err := w.try(http.MethodPost, w.signed(http.MethodPost, params("Word", "a", "Format", "JSON")))
			if (err != nil) != (test.status == 0) || status != test.status {
				t.Fatalf("%d %s (%v)", status, body, err)
			}
			if err == nil && code(t, body) != test.code {
				t.Errorf("answer %s, want %s", body, test.code)
			}
			calls := w.tap.Calls()
			if len(calls) != 1 {
				t.Fatalf("%d calls are recorded", len(calls))
			}
			c := calls[0]
			if c.Applied != test.applied || (done == 1) != test.applied || c.Status != test.status {
				t.Errorf("recorded %+v, done %d times", c, done)
			}
			if c.Action != "svc:Echo" || c.Resource != "acs:svc:*:*:word/a" || c.Principal != w.admin.ARN || c.RequestID == "" {
				t.Errorf("recorded %+v", c)
			}
		})
	}
}

func TestRejectedCallerIsRecordedWithoutPrincipal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(t, http.MethodGet, params("Word", "a"))
	calls := w.tap.Calls()
	if len(calls) != 1 || calls[0].Principal != "" || calls[0].Code != "MissingAccessKeyId" || calls[0].Applied {
		t.Errorf("recorded %+v", calls)
	}
}
