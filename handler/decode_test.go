package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	samples   = "../testdata/events"
	imageID   = "m-bp67acfmxazb4p0d1e2f"
	accountID = "1234567890123456"
)

func testScope() Scope {
	return Scope{
		Region: "cn-hangzhou", AccountID: accountID,
		ManifestBucket: "golden-images", ManifestPrefix: "imageferry/", Bucket: "golden-images",
	}
}

// sample reads an event.
func sample(t testing.TB, name string) json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(samples, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// sampleNames lists the events in a folder of the samples.
func sampleNames(t testing.TB, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(samples, folder, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no samples in %s: %v", folder, err)
	}
	var names []string
	for _, path := range paths {
		if !strings.HasSuffix(path, ".want.json") {
			names = append(names, filepath.Base(path))
		}
	}
	return names
}

// golden is how a command is written in the golden files.
func golden(c Command) any {
	if h, ok := c.(HTTP); ok {
		r := h.Request
		return map[string]any{"HTTP": map[string]any{
			"Method": r.Method, "RawPath": r.RawPath, "Query": r.Query, "Headers": slices.Sorted(maps.Keys(r.Headers)),
			"Body": string(r.Body), "Host": r.Host, "SourceIP": r.SourceIP, "RequestID": r.RequestID,
		}}
	}
	return map[string]any{strings.TrimPrefix(fmt.Sprintf("%T", c), "handler."): c}
}

func TestDecodeSamples(t *testing.T) {
	t.Parallel()
	for _, file := range sampleNames(t, ".") {
		name := strings.TrimSuffix(file, ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if source := sample(t, name+".source"); len(bytes.TrimSpace(source)) == 0 {
				t.Errorf("%s.source does not tell where the sample is from", name)
			}
			commands, err := Decode(sample(t, file), testScope())
			if err != nil {
				t.Fatal(err)
			}
			list := make([]any, len(commands))
			for i, c := range commands {
				list[i] = golden(c)
			}
			got, err := json.MarshalIndent(list, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			if *update {
				if err := os.WriteFile(filepath.Join(samples, name+".want.json"), got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want := sample(t, name+".want.json"); !bytes.Equal(got, want) {
				t.Errorf("decoded to\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestDecodeMalformed(t *testing.T) {
	t.Parallel()
	const shape = "; " + shapesHint
	const id = "; expected a custom image's id: m- and letters or digits"
	want := map[string]string{
		"empty":                           "decode event: is not JSON (at byte 0: unexpected end of JSON input); send one JSON document",
		"truncated":                       "decode event: is not JSON (at byte 17: unexpected end of JSON input); send one JSON document",
		"two-documents":                   "decode event: is not JSON (at byte 19: invalid character '{' after top-level value); send one JSON document",
		"null":                            "decode event: is missing" + shape,
		"number":                          "decode event: is a number" + shape,
		"string":                          "decode event: is a string" + shape,
		"empty-object":                    "decode event: has no known shape" + shape,
		"unknown-shape":                   "decode event: has no known shape" + shape,
		"timer-payload-text":              "decode event.payload: is not JSON (at byte 1: invalid character 'a' looking for beginning of value); send one JSON document",
		"timer-payload-object":            "decode event.payload: is an object; expected a string",
		"timer-payload-list":              "decode event.payload: is an array; expected an object",
		"timer-unknown-key":               "decode event.payload.maxage: is not a known field; known are action, maxAge, dryRun, limit, target",
		"timer-no-action":                 "decode event.payload.action: is missing; expected a string",
		"timer-unknown-action":            `decode event.payload.action: is "purge"; expected follow, drain, sweep, restore or rehearse`,
		"timer-max-age-unit":              `decode event.payload.maxAge: is "30d"; expected a positive duration such as "720h"`,
		"timer-max-age-negative":          `decode event.payload.maxAge: is "-1h"; expected a positive duration such as "720h"`,
		"timer-max-age-number":            `decode event.payload.maxAge: is a number; expected a duration such as "720h"`,
		"timer-limit-negative":            "decode event.payload.limit: is -1; expected a whole number, 0 or more",
		"timer-limit-fraction":            "decode event.payload.limit: is 1.5; expected a whole number, 0 or more",
		"timer-limit-text":                "decode event.payload.limit: is a string; expected a whole number",
		"timer-dry-run-text":              "decode event.payload.dryRun: is a string; expected true or false",
		"timer-dry-run-follow":            "decode event.payload.dryRun: does not go with the action follow; it bounds a sweep",
		"hand-unknown-key":                "decode event.Force: is not a known field; known are imageId, force",
		"hand-action-and-image":           "decode event.imageId: is not a known field; known are action, maxAge, dryRun, limit, target",
		"hand-restore-no-image":           "decode event.imageId: is missing; expected a string",
		"hand-restore-name-and-rehearsal": "decode event.name: does not go with a rehearsal; a rehearsal has a name of its own",
		"timer-rehearse-name":             "decode event.payload.name: is not a known field; known are action, imageId, target",
		"hand-image-path":                 `decode event.imageId: is "m-../../journal"` + id,
		"hand-image-masked":               `decode event.imageId: is "m-bp67acfmxazb4p****"` + id,
		"hand-image-number":               `decode event.imageId: is "7"` + id,
		"hand-force-text":                 "decode event.force: is a string; expected true or false",
		"eventbridge-no-data":             "decode event.data: is missing; expected an object",
		"eventbridge-no-type":             "decode event.type: is missing; expected a string",
		"eventbridge-data-list":           "decode event.data: is an array; expected an object",
		"eventbridge-data-text":           "decode event.data: is not JSON (at byte 1: invalid character 'T' looking for beginning of value); send one JSON document",
		"eventbridge-no-image-id":         "decode event.data.imageId: is missing; expected a string",
		"eventbridge-image-id-unsafe":     `decode event.data.imageId: is "m-a/../b"` + id,
		"eventbridge-image-id-list":       "decode event.data.imageId: is an array; expected a string",
		"eventbridge-no-state":            "decode event.data.currentState: is missing; expected a string",
		"eventbridge-region-object":       "decode event.aliyunregionid: is an object; expected a string",
		"cloudmonitor-content-text":       "decode event.content: is not JSON (at byte 1: invalid character 'A' looking for beginning of value); send one JSON document",
		"cloudmonitor-no-image-id":        "decode event.content.imageId: is missing; expected a string",
		"actiontrail-no-image-id":         "decode event.data.responseElements.ImageId: is missing; no image id in responseElements or referencedResources: the sweep exports the image",
		"actiontrail-copy-source-only": "decode event.data.responseElements.ImageId: is missing; " +
			"no image id in responseElements or referencedResources: the sweep exports the image",
		"actiontrail-two-images":     "decode event.data.referencedResources: names 2 images; cannot tell which one is new: the sweep exports it",
		"actiontrail-response-text":  "decode event.data.responseElements: is not JSON (at byte 1: invalid character 'o' looking for beginning of value); send one JSON document",
		"actiontrail-resources-text": `decode event.data.referencedResources.ACS::ECS::Image: is a string; expected an array`,
		"oss-no-object":              "decode events[0].oss.object: is missing; expected an object",
		"oss-no-bucket":              "decode events[0].oss.bucket: is missing; expected an object",
		"eventbridge-empty-image-id": "decode event.data.imageId: is empty; expected a string",
		"actiontrail-no-event-name":  "decode event.data.eventName: is missing; expected a string",
		"array-one-bad":              "decode events[1].data.imageId: is missing; expected a string",
		"array-nested":               "decode events[0]: is an array; expected an object",
		"array-scalar":               "decode events[0]: is a number; expected an object",
		"array-string-text":          "decode events[0]: is not JSON (at byte 1: invalid character 'h' looking for beginning of value); send one JSON document",
		"array-timer":                "decode events[0]: has no known shape" + shape,
		"oss-no-key":                 "decode events[0].oss.object.key: is missing; expected a string",
		"oss-events-object":          "decode event.events: is an object; expected an array",
		"oss-event-text":             "decode events[0]: is a string; expected an object",
		"http-headers-list":          "decode event.headers: is not an object of strings",
		"http-body-not-base64":       "decode event.body: is not base64; isBase64Encoded is true",
		"http-no-method":             "decode event.requestContext.http.method: is missing; expected a string",
	}
	names := sampleNames(t, "malformed")
	if len(names) != len(want) {
		t.Errorf("%d malformed samples, %d expectations", len(names), len(want))
	}
	for _, file := range names {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			commands, err := Decode(sample(t, "malformed/"+file), testScope())
			var decode *DecodeError
			if !errors.As(err, &decode) {
				t.Fatalf("error is %v, want a *DecodeError", err)
			}
			if got, want := err.Error(), want[strings.TrimSuffix(file, ".json")]; got != want {
				t.Errorf("error is\n%s\nwant\n%s", got, want)
			}
			if file == "array-one-bad.json" && len(commands) != 2 {
				t.Errorf("%d commands beside the malformed event, want 2", len(commands))
			}
		})
	}
}

func TestDecodeRefusesTooManyEvents(t *testing.T) {
	t.Parallel()
	one := string(sample(t, "eventbridge-image-available.json"))
	oss := `{"eventName":"ObjectRemoved:DeleteObject"}`
	tests := map[string]struct {
		event string
		want  string // "" for no error
	}{
		"as many as allowed":    {"[" + strings.Repeat(one+",", maxEvents-1) + one + "]", ""},
		"one too many":          {"[" + strings.Repeat(one+",", maxEvents) + one + "]", "decode events: has 1001 events; send at most 1000 at once"},
		"one too many from OSS": {`{"events":[` + strings.Repeat(oss+",", maxEvents) + oss + "]}", "decode event.events: has 1001 events; send at most 1000 at once"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			commands, err := Decode(json.RawMessage(test.event), testScope())
			if got := fmt.Sprint(err); test.want != "" && got != test.want {
				t.Errorf("error is %s, want %s", got, test.want)
			}
			if test.want == "" && (err != nil || len(commands) != maxEvents) || test.want != "" && len(commands) != 0 {
				t.Errorf("%d commands, error %v", len(commands), err)
			}
		})
	}
}

// Of many malformed events the answer names the first ones only: FC bounds what it passes on.
func TestDecodeBoundsErrors(t *testing.T) {
	t.Parallel()
	_, err := Decode(json.RawMessage("["+strings.Repeat("1,", 500)+"1]"), testScope())
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 11 || lines[10] != "and 491 more" {
		t.Errorf("error is\n%v", err)
	}
}

func TestReasonsHaveRemedies(t *testing.T) {
	t.Parallel()
	for _, file := range sampleNames(t, ".") {
		commands, err := Decode(sample(t, file), testScope())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range commands {
			if i, ok := c.(Ignored); ok && remedyOf(i.Reason) == "" {
				t.Errorf("%s: the reason %s has no remedy", file, i.Reason)
			}
		}
	}
	for code, remedy := range Reasons() {
		if remedy == "" || !kebab.MatchString(code) {
			t.Errorf("reason %q, remedy %q", code, remedy)
		}
	}
}
