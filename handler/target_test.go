package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"imageferry/internal/export"
)

const otherAccount = "2234567890123456"

// testTargets are the own destination, another region, and another account in both regions.
func testTargets(ferries ...Ferry) []Target {
	targets := []Target{{Scope: testScope()}}
	targets[0].Name = "own"
	for _, one := range []Scope{
		{Name: "beijing", Region: "cn-beijing", AccountID: accountID},
		{Name: "shop", Region: "cn-hangzhou", AccountID: otherAccount},
		{Name: "shop-beijing", Region: "cn-beijing", AccountID: otherAccount},
	} {
		one.Bucket, one.ManifestBucket, one.ManifestPrefix = "golden-"+one.Name, "golden-"+one.Name, "imageferry/"
		targets = append(targets, Target{Scope: one})
	}
	for i, f := range ferries {
		targets[i].Ferry = f
	}
	return targets
}

func testScopes() []Scope {
	var scopes []Scope
	for _, t := range testTargets() {
		scopes = append(scopes, t.Scope)
	}
	return scopes
}

// An event goes to the target whose region and account it tells; what it does not tell is the function's own.
func TestEventsGoToTheirTarget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ region, account, want string }{
		{"cn-hangzhou", accountID, "own"},
		{"cn-beijing", accountID, "beijing"},
		{"cn-hangzhou", otherAccount, "shop"},
		{"cn-beijing", otherAccount, "shop-beijing"},
		{"", "", "own"},
		{"cn-beijing", "", "beijing"},
		{"", otherAccount, "shop"},
		{"cn-shanghai", accountID, reasonOtherRegion},
		{"cn-shanghai", otherAccount, reasonOtherRegion},
		{"cn-beijing", "3234567890123456", reasonOtherAccount},
	} {
		call := `"eventName":"CreateImage","responseElements":{"ImageId":"` + imageID + `"}`
		state := `"imageId":"` + imageID + `","currentState":"Available"`
		for kind, event := range map[string]string{
			"CloudEvent": fmt.Sprintf(`{"specversion":"1.0","source":"acs.ecs","type":"ecs:Image:StateChange","aliyunregionid":%q,"aliyunaccountid":%q,"data":{%s}}`,
				c.region, c.account, state),
			"CloudMonitor": fmt.Sprintf(`{"name":"Image:StateChange","regionId":%q,"userId":%q,"content":{%s}}`, c.region, c.account, state),
			"body in a CloudEvent": fmt.Sprintf(`{"specversion":"1.0","source":"acs.ecs","type":"ecs:Image:StateChange","aliyunregionid":%q,`+
				`"data":{"name":"Image:StateChange","userId":%q,"content":{%s}}}`, c.region, c.account, state),
			"ActionTrail": fmt.Sprintf(`{"acsRegion":%q,"recipientAccountId":%q,%s}`, c.region, c.account, call),
			"ActionTrail in a CloudEvent": fmt.Sprintf(`{"specversion":"1.0","source":"acs.ecs","type":"ecs:ActionTrail:ApiCall","aliyunregionid":%q,`+
				`"data":{"recipientAccountId":%q,%s}}`, c.region, c.account, call),
		} {
			commands, err := Decode(json.RawMessage(event), testScopes()...)
			if err != nil || len(commands) != 1 {
				t.Errorf("%s: %v (%v)", kind, commands, err)
				continue
			}
			got := ""
			switch one := commands[0].(type) {
			case Submit:
				got = one.Target
			case Ignored:
				got = one.Reason
			}
			if got != c.want {
				t.Errorf("%s of %q in %q: got %q, want %q", kind, c.account, c.region, got, c.want)
			}
		}
	}
}

// Where an event tells two places that no one target has, it is nobody's.
func TestEventsInConflict(t *testing.T) {
	t.Parallel()
	event := `{"specversion":"1.0","source":"acs.ecs","type":"ecs:ActionTrail:ApiCall","aliyunregionid":"cn-hangzhou","aliyunaccountid":"` + accountID +
		`","data":{"acsRegion":"cn-hangzhou","recipientAccountId":"` + otherAccount + `","eventName":"CreateImage","responseElements":{"ImageId":"` + imageID + `"}}}`
	commands, err := Decode(json.RawMessage(event), testScopes()...)
	if err != nil || len(commands) != 1 {
		t.Fatalf("%v (%v)", commands, err)
	}
	if ignored, ok := commands[0].(Ignored); !ok || ignored.Reason != reasonOtherAccount {
		t.Errorf("got %+v", commands[0])
	}
}

func TestObjectsGoToTheirTarget(t *testing.T) {
	t.Parallel()
	object := func(bucket, key string) string {
		return fmt.Sprintf(`{"eventName":"ObjectCreated:PutObject","oss":{"bucket":{"name":%q},"object":{"key":%q}}}`, bucket, key)
	}
	commands, err := Decode(json.RawMessage(`{"events":[`+strings.Join([]string{
		object("golden-shop", "a"), object("golden-shop", "b"), object("golden-beijing", "a"), object("golden-shop", "imageferry/active/x"), object("other", "a"),
	}, ",")+`]}`), testScopes()...)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range commands {
		switch one := c.(type) {
		case Tick:
			got = append(got, one.Target)
		case Ignored:
			got = append(got, one.Reason)
		}
	}
	if want := []string{"shop", "beijing", reasonOwnManifest, reasonOtherObject}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A tick without a target is for all, whatever fails in one of them; only the function's own failure fails the invocation.
func TestTicksOfTargets(t *testing.T) {
	t.Parallel()
	gone := func(string) error { return &export.CallError{Op: "ListObjects", Message: "get credentials: refused"} }
	for name, c := range map[string]struct {
		event   string
		broken  int // the target that fails; negative: none
		ticked  []string
		answers []string // of the targets
		fails   bool
	}{
		"all":             {`{"action":"drain"}`, -1, []string{"own", "beijing", "shop", "shop-beijing"}, []string{"beijing", "shop", "shop-beijing"}, false},
		"a broken one":    {`{"action":"drain"}`, 2, []string{"own", "beijing", "shop", "shop-beijing"}, []string{"beijing", "shop cloud-call-failed", "shop-beijing"}, false},
		"own is broken":   {`{"action":"drain"}`, 0, []string{"own", "beijing", "shop", "shop-beijing"}, nil, true},
		"one":             {`{"action":"drain","target":"shop"}`, -1, []string{"shop"}, nil, false},
		"own":             {`{"action":"drain","target":"own"}`, -1, []string{"own"}, nil, false},
		"one, broken":     {`{"action":"drain","target":"shop"}`, 2, []string{"shop"}, nil, true},
		"unknown":         {`{"action":"drain","target":"none"}`, -1, nil, nil, true},
		"a timer's":       {`{"triggerName":"t","payload":"{\"action\":\"drain\",\"target\":\"shop\"}"}`, -1, []string{"shop"}, nil, false},
		"a target alone":  {`{"triggerName":"t","payload":"{\"target\":\"shop\"}"}`, -1, []string{"shop"}, nil, false},
		"not a name":      {`{"action":"drain","target":7}`, -1, nil, nil, true},
		"an order":        {`{"imageId":"m-1","target":"beijing"}`, -1, []string{"beijing"}, nil, false},
		"an order to own": {`{"imageId":"m-1"}`, -1, []string{"own"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fakes := []*fakeFerry{{}, {}, {}, {}}
			if c.broken >= 0 {
				fakes[c.broken].fail = gone
			}
			targets := testTargets(fakes[0], fakes[1], fakes[2], fakes[3])
			var log syncBuffer
			h := New(func(context.Context) ([]Target, error) { return targets, nil }, Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
			answer, err := h.Handle(invoked(t), json.RawMessage(c.event))
			if (err != nil) != c.fails {
				t.Fatalf("error %v", err)
			}
			var ticked, answers []string
			for i, f := range fakes {
				if len(f.called()) > 0 {
					ticked = append(ticked, targets[i].Name)
				}
			}
			if a, ok := answer.(Answer); ok {
				for _, one := range a.Targets {
					answers = append(answers, strings.TrimSpace(one.Target+" "+one.Reason))
					if len(one.Rounds) != 1 || (one.Reason != "") != (one.Remedy != "" && one.Detail != "") {
						t.Errorf("answer %+v", one)
					}
				}
			}
			if !slices.Equal(ticked, c.ticked) || !slices.Equal(answers, c.answers) {
				t.Errorf("ticked %q, answered %q", ticked, answers)
			}
			if c.broken > 0 && !strings.Contains(log.String(), `"target":"shop"`) {
				t.Errorf("logged %s", log.String())
			}
		})
	}
}

// A panic in one target is that one's.
func TestTargetPanics(t *testing.T) {
	t.Parallel()
	fakes := []*fakeFerry{{}, {fail: func(string) error { panic("top-secret") }}, {}, {}}
	h := New(func(context.Context) ([]Target, error) {
		return testTargets(fakes[0], fakes[1], fakes[2], fakes[3]), nil
	}, Options{})
	answer, err := h.Handle(invoked(t), json.RawMessage(`{"action":"follow"}`))
	if err != nil {
		t.Fatal(err)
	}
	if a := answer.(Answer); a.Targets[0].Reason != reasonInternal || a.Targets[1].Reason != "" || len(a.Rounds) != 2 {
		t.Errorf("answer %+v", a)
	}
}

// HTTP chooses a target for one request; without one it is the function's own destination.
func TestHTTPTargets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, path, body string
		status             int
		called             string // the target
		location           string
	}{
		{"GET", "/exports", "", 200, "own", ""},
		{"GET", "/exports?target=own", "", 200, "own", ""},
		{"GET", "/exports?target=shop", "", 200, "shop", ""},
		{"GET", "/exports/m-1?target=beijing", "", 200, "beijing", ""},
		{"POST", "/exports?target=shop", `{"imageId":"m-2"}`, 202, "shop", "/exports/m-2?target=shop"},
		{"POST", "/exports", `{"imageId":"m-2"}`, 202, "own", "/exports/m-2"},
		{"POST", "/exports/m-1/retry?target=shop", "", 202, "shop", "/exports/m-1?target=shop"},
		{"POST", "/exports/m-1/cancel?target=shop", "", 200, "shop", "/exports/m-1?target=shop"},
		{"POST", "/follow?target=shop", "", 200, "shop", ""},
		{"POST", "/follow", "", 200, "own beijing shop shop-beijing", ""},
		{"POST", "/sweep?target=own", "", 200, "own", ""},
		{"GET", "/exports?target=none", "", 400, "", ""},
		{"GET", "/?target=shop", "", 404, "", ""},
		{"GET", "/images/m-1?target=shop", "", 404, "", ""},
		{"GET", "/healthz?target=none", "", 200, "", ""},
	} {
		known := func(id string) bool { return id == "m-1" }
		fakes := []*fakeFerry{{known: known}, {known: known}, {known: known}, {known: known}}
		targets := testTargets(fakes[0], fakes[1], fakes[2], fakes[3])
		h := New(func(context.Context) ([]Target, error) { return targets, nil }, Options{Auth: "token", Token: "t"})
		answer, err := h.Handle(invoked(t), httpEvent(t, c.method, c.path, c.body, map[string]string{"Authorization": "Bearer t"}))
		if err != nil {
			t.Fatal(err)
		}
		r := answer.(Response)
		var called []string
		for i, f := range fakes {
			if len(f.called()) > 0 {
				called = append(called, targets[i].Name)
			}
		}
		if r.StatusCode != c.status || strings.Join(called, " ") != c.called || r.Headers["Location"] != c.location {
			t.Errorf("%s %s: %d %v at %q: %s", c.method, c.path, r.StatusCode, r.Headers, called, r.Body)
		}
	}
}

// A browser that asks for a target's exports gets them as JSON: the page has only the function's own.
func TestBrowsersOfTargets(t *testing.T) {
	t.Parallel()
	h := New(func(context.Context) ([]Target, error) {
		return testTargets(&fakeFerry{}, &fakeFerry{}, &fakeFerry{}, &fakeFerry{}), nil
	},
		Options{Auth: "token", Token: "t"})
	answer, err := h.Handle(invoked(t), httpEvent(t, "GET", "/exports?target=shop", "", map[string]string{"Accept": "text/html", "Authorization": "Bearer t"}))
	if err != nil {
		t.Fatal(err)
	}
	if r := answer.(Response); r.StatusCode != 200 || !strings.Contains(r.Headers["Content-Type"], "json") {
		t.Errorf("%d %v", r.StatusCode, r.Headers)
	}
}
