package fcd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imageferry/internal/localcloud/eventbus"
	"imageferry/internal/localcloud/fcd"
)

func readProjectSpec(t testing.TB) []byte {
	t.Helper()
	document, err := os.ReadFile(filepath.Join("..", "..", "..", "s.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func TestProjectSpec(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"region": "cn-beijing", "bucket": "mine", "failureQueue": "lost", "timeout": "86400"}
	spec, err := fcd.ParseSpec(readProjectSpec(t), vars)
	if err != nil {
		t.Fatal(err)
	}
	if spec.Name != "imageferry" || spec.Region != "cn-beijing" || spec.Handler != "main" || spec.Role != "imageferry" ||
		spec.Timeout != 24*time.Hour || spec.Environment["FERRY_BUCKET"] != "mine" {
		t.Errorf("unexpected function %+v", spec)
	}
	if spec.Async != (fcd.Async{MaxRetries: 3, MaxAge: 24 * time.Hour, FailureQueue: "lost"}) {
		t.Errorf("unexpected asynchronous configuration %+v", spec.Async)
	}
	if spec.HTTP == nil || spec.HTTP.Anonymous || strings.Join(spec.HTTP.Methods, " ") != "GET POST" {
		t.Errorf("unexpected HTTP trigger %+v", spec.HTTP)
	}
	now := time.Date(2026, 11, 23, 10, 20, 0, 0, time.UTC)
	want := map[string]struct {
		next    time.Time
		payload string
	}{
		"follow": {now.Add(time.Minute), `{"action":"follow"}`},
		"sweep":  {time.Date(2026, 11, 23, 11, 17, 0, 0, time.UTC), `{"action":"sweep"}`},
	}
	for _, timer := range spec.Timers {
		if w := want[timer.Name]; !timer.Schedule.Next(now).Equal(w.next) || timer.Payload != w.payload {
			t.Errorf("timer %s fires next at %v with %s, want %+v", timer.Name, timer.Schedule.Next(now), timer.Payload, w)
		}
	}
	if len(spec.Timers) != len(want) {
		t.Errorf("got %d timers, want %d", len(spec.Timers), len(want))
	}
}

// TestProjectSpecTimeout: what replaces a number is one, and has to be one.
func TestProjectSpecTimeout(t *testing.T) {
	t.Parallel()
	if spec, err := fcd.ParseSpec(readProjectSpec(t), nil); err != nil || spec.Timeout != 5*time.Minute {
		t.Errorf("the timeout is %v (%v)", spec.Timeout, err)
	}
	for _, value := range []string{"86401", "0", "1.5", "a day", ""} {
		if _, err := fcd.ParseSpec(readProjectSpec(t), map[string]string{"timeout": value}); err == nil || !strings.Contains(err.Error(), "props.timeout") {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestProjectSpecSubscribesToImageEventsOnly(t *testing.T) {
	t.Parallel()
	spec, err := fcd.ParseSpec(readProjectSpec(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	for event, want := range map[string]string{
		`{"source":"acs.ecs","type":"ecs:Image:StateChange","data":{"imageId":"m-1","currentState":"Available"}}`: "image-state",
		`{"source":"acs.ecs","type":"ecs:ActionTrail:ApiCall","data":{"eventName":"CreateImage"}}`:                "image-calls",
		`{"source":"acs.ecs","type":"ecs:ActionTrail:ApiCall","data":{"eventName":"DeleteDisk"}}`:                 "",
		`{"source":"acs.ecs","type":"ecs:Instance:StateChange","data":{"state":"Running"}}`:                       "",
		`{"source":"acs.oss","type":"oss:Image:StateChange","data":{}}`:                                           "",
	} {
		var got []string
		for _, trigger := range spec.Events {
			pattern, err := eventbus.ParsePattern(trigger.Pattern)
			if err != nil {
				t.Fatal(err)
			}
			if pattern.Matches([]byte(event)) {
				got = append(got, trigger.Name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s triggers %v, want %q", event, got, want)
		}
	}
}

// TestParseSpecRefuses changes one thing in a specification that is in order.
func TestParseSpecRefuses(t *testing.T) {
	t.Parallel()
	const props = "resources.test.props"
	timer := func(cron string) string {
		return specYAML + `        - {triggerName: tick, triggerType: timer, triggerConfig: {cronExpression: "` + cron + `", enable: true}}`
	}
	change := func(old, new string) string {
		if !strings.Contains(specYAML, old) {
			t.Fatalf("%q is not in the specification", old)
		}
		return strings.Replace(specYAML, old, new, 1)
	}
	for name, tc := range map[string]struct{ document, want string }{
		"no YAML":              {"a: [", "decode s.yaml"},
		"a list":               {"[]", "decode s.yaml"},
		"a key twice":          {specYAML + "\nedition: 3.0.0", "decode s.yaml"},
		"nothing":              {"{}", "edition: missing"},
		"an old edition":       {change("3.0.0", "1.0.0"), "edition"},
		"an unknown key":       {change("runtime:", "runtim: go1\n      runtime:"), props + ".runtim: unknown key"},
		"another component":    {change("fc3", "fc"), "resources.test.component"},
		"another runtime":      {change("go1", "custom"), props + ".runtime"},
		"an empty runtime":     {change("go1", "''"), props + ".runtime"},
		"no handler":           {change("handler: main", ""), props + ".handler: missing"},
		"an unknown variable":  {change("${vars.region}", "${vars.no}"), props + ".region: ${vars.no} is not a declared variable"},
		"another reference":    {change("${vars.region}", "${env(REGION)}"), "is not a declared variable"},
		"odd memory":           {change("memorySize: 128", "memorySize: 130"), props + ".memorySize: 130 is not a multiple of 64"},
		"text for memory":      {change("memorySize: 128", "memorySize: '128'"), props + ".memorySize: not a number"},
		"broken memory":        {change("memorySize: 128", "memorySize: 128.5"), props + ".memorySize: not an integer"},
		"odd cpu":              {change("cpu: 0.05", "cpu: 0.07"), props + ".cpu: 0.07 is not a multiple of 0.05"},
		"too much cpu":         {change("cpu: 0.05", "cpu: 1"), "not between 1:1 and 1:4"},
		"no cpu":               {change("cpu: 0.05", ""), props + ".cpu: missing"},
		"an odd disk":          {change("timeout: 30", "timeout: 30\n      diskSize: 1024"), props + ".diskSize"},
		"no time":              {change("timeout: 30", "timeout: 0"), props + ".timeout: 0 is not between 1 and 86400"},
		"too much time":        {change("timeout: 30", "timeout: 86401"), props + ".timeout: 86401 is not between 1 and 86400"},
		"a malformed role":     {change("Test-Role", "acs:ram::1:role/x"), props + ".role"},
		"a reserved name":      {change("TEST_NAME", "FC_NAME"), props + ".environmentVariables.FC_NAME: the prefix FC_ is reserved"},
		"a malformed name":     {change("TEST_NAME", "1NAME"), "the name does not match"},
		"a number as value":    {change("TEST_NAME: value", "TEST_NAME: 1"), props + ".environmentVariables.TEST_NAME: not a string"},
		"a large environment":  {change("TEST_NAME: value", "TEST_NAME: "+strings.Repeat("x", 4<<10)), "more than 4 KB"},
		"too many retries":     {change("maxAsyncRetryAttempts: 2", "maxAsyncRetryAttempts: 9"), props + ".asyncInvokeConfig.maxAsyncRetryAttempts"},
		"too old events":       {change("maxAsyncRetryAttempts: 2", "maxAsyncEventAgeInSeconds: 604801"), "maxAsyncEventAgeInSeconds"},
		"another destination":  {change("acs:mns:cn-hangzhou::/queues/failed/messages", "acs:fc:cn-hangzhou::functions/f"), "destinationConfig.onFailure.destination"},
		"a distant queue":      {change("acs:mns:cn-hangzhou", "acs:mns:cn-beijing"), "the queue is in cn-beijing"},
		"a trigger twice":      {change("triggerName: images", "triggerName: http"), props + `.triggers[1].triggerName: "http" is taken`},
		"another trigger":      {change("triggerType: http", "triggerType: mqtt"), props + ".triggers[0].triggerType"},
		"another kind of auth": {change("authType: function", "authType: jwt"), "triggerConfig.authType"},
		"an unknown method":    {change("[GET, POST]", "[GET, FETCH]"), "triggerConfig.methods[1]"},
		"a method twice":       {change("[GET, POST]", "[GET, GET]"), "GET again"},
		"no method":            {change("[GET, POST]", "[]"), "no method"},
		"an unknown operator":  {change(`"suffix"`, `"ends"`), "eventRuleFilterPattern"},
		"a synchronous event":  {change("asyncInvocationType: true", "asyncInvocationType: false"), "asynchronous event triggers"},
		"a custom source":      {change("eventSourceType: Default", "eventSourceType: MNS"), "eventSourceType"},
		"five fields":          {timer("0 * * * *"), props + ".triggers[2].triggerConfig.cronExpression"},
		"minute 61":            {timer("0 61 * * * *"), "cronExpression"},
		"a descriptor":         {timer("@hourly"), "not of the form @every"},
		"seconds":              {timer("@every 30s"), "not of the form @every"},
		"an old zone":          {timer("TZ=UTC 0 0 * * * *"), "CRON_TZ="},
		"an unknown zone":      {timer("CRON_TZ=Mars/Base 0 0 * * * *"), "cronExpression"},
	} {
		if _, err := fcd.ParseSpec([]byte(tc.document), nil); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, tc.want)
		}
	}
}

func TestParseSpecReportsEverythingAtOnce(t *testing.T) {
	t.Parallel()
	document := strings.NewReplacer("go1", "php", "memorySize: 128", "memorySize: 1", "authType: function", "authType: none").Replace(specYAML)
	_, err := fcd.ParseSpec([]byte(document), map[string]string{"nobody": "x"})
	for _, want := range []string{"vars.nobody: not declared", "props.runtime", "props.memorySize", "triggers[0].triggerConfig.authType"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that says %q", err, want)
		}
	}
}

func FuzzParseSpec(f *testing.F) {
	f.Add([]byte(specYAML))
	f.Add(readProjectSpec(f))
	f.Fuzz(func(_ *testing.T, document []byte) {
		_, _ = fcd.ParseSpec(document, nil) // it may refuse, but not panic
	})
}
