package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/manifest"
)

// invokeAPI calls InvokeFunction of the public API.
func (d *deployment) invokeAPI(t *testing.T, event []byte, change ...func(*http.Request)) reply {
	t.Helper()
	return d.send(t, d.Endpoints.FC+"/2023-03-30/functions/imageferry/invocations", http.MethodPost, event, true, change...)
}

func asynchronously(r *http.Request) { r.Header.Set("X-Fc-Invocation-Type", "Async") }

// answer is what the function returns for events.
type answer struct {
	Results []struct {
		ImageID string
		State   manifest.State
	}
	Rounds  []struct{ Action string }
	Ignored []struct{ Reason string }
}

// event reads a sample of testdata/events.
func event(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(built.project, "testdata", "events", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestInvokeFunction hands an EventBridge event to the function over the public API, both ways.
func TestInvokeFunction(t *testing.T) {
	t.Parallel()
	for name, async := range map[string]bool{"sync": false, "async": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, setup{})
			id := d.ECS.AddImage(ecsd.Image{Name: "told-of"})
			body := []byte(strings.ReplaceAll(string(event(t, "eventbridge-image-available.json")), "m-bp67acfmxazb4p0d1e2f", id))
			if async {
				r := d.invokeAPI(t, body, asynchronously)
				if r.status != http.StatusAccepted || len(r.body) != 0 || r.header.Get("X-Fc-Request-Id") == "" {
					t.Errorf("%d %s", r.status, r.body)
				}
			} else {
				r := d.invokeAPI(t, body)
				var a answer
				r.decode(t, &a)
				if r.status != http.StatusOK || len(a.Results) != 1 || a.Results[0].ImageID != id || a.Results[0].State != manifest.Exporting {
					t.Errorf("%d %s", r.status, r.body)
				}
			}
			m := d.wait(t, id, manifest.Exported, manifest.Failed)
			if m.State != manifest.Exported || m.Trigger.Kind != "event" || m.Trigger.Source != "ecs:Image:StateChange" || m.Trigger.RequestID == "" {
				t.Errorf("%s by %+v", m.State, m.Trigger)
			}
		})
	}
}

// TestEverySample delivers all sampled events, one after the other, to one process: it answers each and survives them all.
func TestEverySample(t *testing.T) {
	t.Parallel()
	// The bucket of the samples.
	d := deploy(t, setup{noTimers: true, vars: map[string]string{"bucket": "golden-images", "manifestBucket": "golden-images"}})
	paths, err := filepath.Glob(filepath.Join(built.project, "testdata", "events", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, path := range paths {
		if name := filepath.Base(path); !strings.HasSuffix(name, ".want.json") {
			d.checkSample(t, name)
		}
	}
	malformed, err := filepath.Glob(filepath.Join(built.project, "testdata", "events", "malformed", "*.json"))
	if err != nil || len(malformed) == 0 {
		t.Fatalf("no malformed samples: %v", err)
	}
	for _, path := range malformed {
		d.checkMalformed(t, filepath.Join("malformed", filepath.Base(path)))
	}
	if s := d.FC.Stats(); s.ColdStarts != 1 || s.Instances != 1 {
		t.Errorf("not one process: %+v", s)
	}
}

// checkSample compares the kinds of answers with the commands that the sample is decoded to. Restores are off.
func (d *deployment) checkSample(t *testing.T, name string) {
	t.Helper()
	var commands []map[string]json.RawMessage
	if err := json.Unmarshal(event(t, strings.TrimSuffix(name, ".json")+".want.json"), &commands); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	for _, c := range commands {
		for kind := range c {
			want[kind]++
		}
	}
	r := d.invokeAPI(t, event(t, name))
	if r.status != http.StatusOK || r.header.Get("X-Fc-Error-Type") != "" {
		t.Errorf("%s: %d %s", name, r.status, r.body)
		return
	}
	if want["HTTP"] > 0 {
		var response struct {
			StatusCode int
			Headers    map[string]string
		}
		if r.decode(t, &response); response.StatusCode == 0 || response.Headers["Content-Type"] == "" {
			t.Errorf("%s: %s", name, r.body)
		}
		return
	}
	var a answer
	r.decode(t, &a)
	if len(a.Results) != want["Submit"] || len(a.Ignored) != want["Ignored"]+want["Restore"] || (len(a.Rounds) > 0) != (want["Tick"] > 0) {
		t.Errorf("%s: %s, want %v", name, r.body, want)
	}
}

// checkMalformed finds an error that says what is wrong: the decoder's own, or the runtime's where there is no JSON at all.
func (d *deployment) checkMalformed(t *testing.T, name string) {
	t.Helper()
	r := d.invokeAPI(t, event(t, name))
	var failure struct{ ErrorMessage, ErrorType string }
	r.decode(t, &failure)
	ours := strings.HasPrefix(failure.ErrorMessage, "decode event")
	if r.status != http.StatusOK || r.header.Get("X-Fc-Error-Type") != "UnhandledInvocationError" || !ours && failure.ErrorType != "SyntaxError" {
		t.Errorf("%s: %d %s %s", name, r.status, r.header.Get("X-Fc-Error-Type"), r.body)
	}
}
