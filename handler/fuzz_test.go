package handler

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"testing"

	"imageferry/internal/manifest"
)

var kebab = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

// Whatever arrives: no panic, only DecodeErrors, and nothing unsafe or unbounded among the commands.
func FuzzDecode(f *testing.F) {
	for _, folder := range []string{".", "malformed"} {
		for _, file := range sampleNames(f, folder) {
			f.Add([]byte(sample(f, folder+"/"+file)))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		commands, err := Decode(raw, testScope())
		var decode *DecodeError
		if err != nil && !errors.As(err, &decode) {
			t.Fatalf("error is %T: %v", err, err)
		}
		if err == nil && len(commands) == 0 {
			t.Fatal("neither a command nor an error")
		}
		for _, c := range commands {
			switch c := c.(type) {
			case Submit:
				if !manifest.ValidImageID(c.Order.ImageID) {
					t.Errorf("submits the image %q", c.Order.ImageID)
				}
				checkTrigger(t, c.Order.Trigger)
			case Tick:
				if !c.Follow && !c.Drain && c.Sweep == nil {
					t.Error("a tick that does nothing")
				}
				if c.Sweep != nil && (c.Sweep.MaxAge < 0 || c.Sweep.Limit < 0) {
					t.Errorf("sweeps %+v", c.Sweep)
				}
				checkTrigger(t, c.Trigger)
			case Ignored:
				if !kebab.MatchString(c.Reason) || remedyOf(c.Reason) == "" || len(c.Detail) > 512 {
					t.Errorf("ignored: %+v", c)
				}
				checkTrigger(t, c.Trigger)
			}
		}
	})
}

// checkTrigger: a manifest has to be able to keep it.
func checkTrigger(t *testing.T, trigger manifest.Trigger) {
	t.Helper()
	if trigger.Kind != "event" && trigger.Kind != "timer" || len(trigger.Source) > 600 || len(trigger.ID) > 300 {
		t.Errorf("trigger %+v", trigger)
	}
	if _, err := json.Marshal(trigger); err != nil {
		t.Error(err)
	}
}

// Whatever a client sends to a function that is open to nobody: an answer that FC can pass on, and never the inside.
func FuzzHTTP(f *testing.F) {
	f.Add("GET", "/healthz", "a", "b", "")
	f.Add("POST", "/exports", "limit", "1", `{"imageId":"m-1"}`)
	f.Add("GET", "/exports/%2e%2e/x", "state", "%", "\xff")
	f.Add("HEAD", "//exports//", "", "", "")
	f.Add("G T", "exports?%zz", ";", "&", "{")
	f.Fuzz(func(t *testing.T, method, rawPath, name, text, body string) {
		if method == "" {
			t.Skip("the platform always has a method")
		}
		ferry := &fakeFerry{}
		h := newTestHandler(t, ferry, Options{Auth: "token", Token: "right"})
		headers := map[string]string{name: text, "Content-Type": "application/json"}
		request := map[string]any{
			"version": "v1", "rawPath": rawPath, "body": body,
			"headers":         headers,
			"queryParameters": map[string]string{name: text},
			"requestContext":  map[string]any{"http": map[string]any{"method": method, "path": rawPath}},
		}
		for _, authorization := range []string{"", "Bearer right"} {
			headers["Authorization"] = authorization
			raw, err := json.Marshal(request)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := h.Handle(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			response := answer.(Response)
			if s := response.StatusCode; http.StatusText(s) == "" || s >= 300 && s < 400 || s == http.StatusInternalServerError {
				t.Errorf("status %d: %s", s, response.Body)
			}
			if authorization == "" && len(ferry.called()) > 0 {
				t.Errorf("called %v without authentication", ferry.called())
			}
		}
	})
}
