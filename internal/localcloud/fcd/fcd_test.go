package fcd_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/eventbus"
	"imageferry/internal/localcloud/fcd"
	"imageferry/internal/localcloud/trace"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestInvokeReturnsTheResultAndKeepsTheProcess(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	first := c.invoke(t, `{"a":1}`)
	second := c.invoke(t, `{"a":2}`)
	if string(first.Payload) != `{"a":1}` || string(second.Payload) != `{"a":2}` || first.ErrorType != "" {
		t.Errorf("got %s and %s, want the payloads", first.Payload, second.Payload)
	}
	if !first.Cold || second.Cold || first.RequestID == second.RequestID {
		t.Errorf("cold %v then %v, want one cold start", first.Cold, second.Cold)
	}
	if got := c.Stats(); got != (fcd.Stats{Invocations: 2, ColdStarts: 1, Instances: 1}) {
		t.Errorf("stats are %+v", got)
	}
}

func TestFunctionErrorsAreReported(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	for _, tc := range []struct{ do, want string }{
		{"fail", `"errorMessage":"as told"`},
		{"panic", `"stackTrace"`},
		{"exit", "Process exited unexpectedly before completing request"},
		{"context", ""}, // the next process works again
	} {
		result := c.invoke(t, `{"do":"`+tc.do+`","until":1}`)
		if failed := result.ErrorType == "UnhandledInvocationError"; failed != (tc.want != "") || !strings.Contains(string(result.Payload), tc.want) {
			t.Errorf("%s: error type %q and payload %s, want %q", tc.do, result.ErrorType, result.Payload, tc.want)
		}
	}
}

func TestFunctionGetsFreshCredentialsOfItsRole(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	first, second := c.context(t), c.context(t)
	if first.AccessKeyID == second.AccessKeyID || first.PID != second.PID {
		t.Errorf("keys %s and %s in processes %d and %d, want new keys in one process",
			first.AccessKeyID, second.AccessKeyID, first.PID, second.PID)
	}
	identity, err := c.dir.Lookup(second.AccessKeyID)
	if err != nil || identity.RoleName != "test-role" || identity.Token != second.Token {
		t.Errorf("the keys belong to %+v, %v, want the role", identity, err)
	}
	if left := time.Until(identity.Expires); left < 35*time.Hour || left > 36*time.Hour {
		t.Errorf("the keys expire in %v, want 36 h", left)
	}
}

func TestFunctionGetsTheDocumentedContextAndNothingOfItsParent(t *testing.T) {
	t.Setenv("FCD_TEST_SECRET", "of the parent")
	r := deploy(t, nil).context(t)
	if r.Function != "test" || r.Handler != "main" || r.Region != region || r.Account != accountID || r.Timeout != 30 || r.Retry != 0 {
		t.Errorf("unexpected context %+v", r)
	}
	if r.Left < 20*time.Second || r.Left > 30*time.Second {
		t.Errorf("%v are left until the deadline, want almost 30 s", r.Left)
	}
	names := map[string]string{}
	for _, entry := range r.Environment {
		name, value, _ := strings.Cut(entry, "=")
		names[name] = value
	}
	if names["TEST_NAME"] != "value" || names["TEST_OTHER"] != "overridden" || names["FC_FUNCTION_NAME"] != "test" ||
		names["FC_REGION"] != region || names["ALIBABA_CLOUD_SECURITY_TOKEN"] == "" || names["FC_RUNTIME_API"] == "" {
		t.Errorf("unexpected environment %v", names)
	}
	for _, name := range []string{"FCD_TEST_SECRET", "PATH", "HOME"} {
		if value, ok := names[name]; ok {
			t.Errorf("the function sees its parent's %s=%s", name, value)
		}
	}
}

func TestTimeoutOfADay(t *testing.T) {
	t.Parallel()
	c := deployYAML(t, strings.Replace(specYAML, "timeout: 30", "timeout: 86400", 1), nil)
	if r := c.context(t); r.Timeout != 86400 || r.Left < 24*time.Hour-time.Minute || r.Left > 24*time.Hour {
		t.Errorf("a timeout of %d s, of which %v are left", r.Timeout, r.Left)
	}
}

func TestTimeoutKillsTheProcess(t *testing.T) {
	t.Parallel()
	c := deploy(t, func(o *fcd.Options) { o.Timeout = 3 * time.Second })
	before := c.context(t).PID
	result := c.invoke(t, `{"do":"hang"}`)
	if result.ErrorType == "" || !strings.Contains(string(result.Payload), "timed out after 3 seconds") {
		t.Errorf("got %+v %s, want a timeout", result, result.Payload)
	}
	if after := c.context(t).PID; after == before {
		t.Error("the process that timed out is still used")
	}
}

func TestKillFailsTheInvocationUnderWay(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	done := make(chan fcd.Result)
	go func() {
		result, err := c.Invoke(context.Background(), []byte(`{"do":"hang"}`))
		if err != nil {
			t.Error(err)
		}
		done <- result
	}()
	c.output.waitFor(t, "hanging", 1)
	c.Kill()
	if result := <-done; !strings.Contains(string(result.Payload), "Process exited unexpectedly") {
		t.Errorf("got %s", result.Payload)
	}
	if result := c.invoke(t, `{}`); !result.Cold {
		t.Error("the next invocation has not started a process")
	}
}

func TestKillRequestEndsOnlyTheProcessThatWorksOnIt(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	var hanging sync.WaitGroup
	hanging.Go(func() { _, _ = c.Invoke(context.Background(), []byte(`{"do":"hang"}`)) })
	id := c.InvokeAsync([]byte(`{"do":"hang"}`), "test")
	c.output.waitFor(t, "hanging", 2)
	c.KillRequest("1-00000000-00000000-000000000000") // nobody's
	if got := c.Stats(); got.Instances != 2 || got.Retries != 0 {
		t.Errorf("stats are %+v", got)
	}
	c.KillRequest(id)
	c.output.waitFor(t, "hanging", 3) // the event is tried again, in a new process
	if got := c.Stats(); got.Instances != 2 || got.ColdStarts != 3 || got.InFlight != 2 || got.Retries != 1 {
		t.Errorf("stats are %+v", got)
	}
	c.Close()
	hanging.Wait()
}

func TestConcurrentInvocationsGetInstancesOfTheirOwnUpToTheLimit(t *testing.T) {
	t.Parallel()
	c := deploy(t, func(o *fcd.Options) { o.MaxInstances = 2 })
	var hanging sync.WaitGroup
	for range 2 {
		hanging.Go(func() { _, _ = c.Invoke(context.Background(), []byte(`{"do":"hang"}`)) })
	}
	c.output.waitFor(t, "hanging", 2)
	if _, err := c.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, fcd.ErrThrottled) {
		t.Errorf("a third invocation: %v, want ErrThrottled", err)
	}
	if got := c.Stats(); got.Instances != 2 || got.InFlight != 2 {
		t.Errorf("stats are %+v", got)
	}
	// An asynchronous event waits, and that costs it no retry.
	c.InvokeAsync([]byte(`{"do":"async"}`), "test")
	c.Kill()
	hanging.Wait()
	c.idle(t)
	if failures := c.Failures(); len(failures) != 0 {
		t.Errorf("the event that waited failed: %+v", failures)
	}
}

func TestInvokeLeavesTheInvocationToItselfWhenTheCallerGoes(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Invoke(ctx, []byte(`{"do":"echo"}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the context", err)
	}
	c.idle(t)
	c.output.waitFor(t, `payload {"do":"echo"}`, 1)
}

func TestAsyncRetriesUntilTheFunctionSucceeds(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	id := c.InvokeAsync([]byte(`{"do":"fail","until":2}`), "test")
	c.idle(t)
	if got := c.Stats(); got.Invocations != 3 || got.Retries != 2 || len(c.Failures()) != 0 {
		t.Errorf("stats are %+v with failures %v, want success at the second retry", got, c.Failures())
	}
	c.output.waitFor(t, "FC Invoke Start RequestId: "+id, 3)
}

func TestAsyncFailureGoesToTheDestinationIfTheRoleMaySend(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		permission string
		fault      trace.Fault
		delivered  bool
		status     int
	}{
		"allowed":    {`"mns:SendMessage"`, trace.Fault{}, true, 201},
		"denied":     {`"ecs:DescribeImages"`, trace.Fault{}, false, 403},
		"refused":    {`"mns:SendMessage"`, trace.Fault{Refuse: &trace.Refusal{Status: 503, Code: "Busy"}}, false, 503},
		"unanswered": {`"mns:SendMessage"`, trace.Fault{Cut: trace.CutBefore}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := deploy(t, nil)
			c.putRole(t, tc.permission)
			c.tap.Inject(func(trace.Call) trace.Fault { return tc.fault })
			id := c.InvokeAsync([]byte(`{"do":"fail","until":9}`), "test")
			c.idle(t)
			failures := c.Failures()
			if len(failures) != 1 {
				t.Fatalf("got %d failures, want 1", len(failures))
			}
			f := failures[0]
			if f.RequestID != id || f.Condition != "RetriesExhausted" || f.Attempts != 3 || f.Queue != "failed" || f.Delivered != tc.delivered {
				t.Errorf("unexpected failure %+v", f)
			}
			var message struct{ RequestPayload, ResponsePayload string }
			if err := json.Unmarshal(f.Message, &message); err != nil ||
				!strings.Contains(message.RequestPayload, `"fail"`) || !strings.Contains(message.ResponsePayload, "as told") {
				t.Errorf("unexpected message %s (%v)", f.Message, err)
			}
			calls := c.tap.Calls()
			if len(calls) != 1 || calls[0].Service != "mns" || calls[0].Status != tc.status || calls[0].Applied != tc.delivered ||
				calls[0].Resource != "acs:mns:cn-hangzhou:1234567890123456:/queues/failed/messages" {
				t.Errorf("unexpected calls %+v", calls)
			}
		})
	}
}

func TestAsyncGivesUpWhenTheEventIsTooOld(t *testing.T) {
	t.Parallel()
	document := strings.Replace(specYAML, "maxAsyncRetryAttempts: 2", "maxAsyncEventAgeInSeconds: 1", 1)
	c := deployYAML(t, document, nil) // a cold start takes more than a second of the platform's time
	c.InvokeAsync([]byte(`{"do":"fail","until":9}`), "test")
	c.idle(t)
	if failures := c.Failures(); len(failures) != 1 || failures[0].Condition != "EventAgeExceeded" || failures[0].Attempts != 1 {
		t.Errorf("got %+v", failures)
	}
}

func TestAsyncRefusesLargePayloads(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	if id := c.InvokeAsync(make([]byte, 128<<10+1), "test"); id != "" {
		t.Errorf("accepted as %s", id)
	}
}

func TestMissingRoleFailsInvocations(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	c.dir.DeleteRole("test-role")
	if _, err := c.Invoke(t.Context(), []byte(`{}`)); !errors.Is(err, account.ErrNoSuchRole) {
		t.Errorf("got %v, want ErrNoSuchRole", err)
	}
}

func TestEventTriggerDeliversMatchingEvents(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	c.bus.ImageStateChanged("m-trigger", "Available")
	all := c.output.waitFor(t, `"imageId":"m-trigger"`, 1)
	if !strings.Contains(all, `"type":"ecs:Image:StateChange"`) {
		t.Errorf("the function got %s", all)
	}
	c.idle(t)
}

func TestTimerFiresOnItsScheduleInScaledTime(t *testing.T) {
	t.Parallel()
	document := specYAML + `        - {triggerName: tick, triggerType: timer, triggerConfig: {cronExpression: "@every 5m", enable: true, payload: '{"action":"follow"}'}}
        - {triggerName: off, triggerType: timer, triggerConfig: {cronExpression: "* * * * * *", enable: false}}
        - {triggerName: hourly, triggerType: timer, triggerConfig: {cronExpression: "CRON_TZ=Asia/Shanghai 0 17 * * * *", enable: true}}
`
	c := deployYAML(t, document, func(o *fcd.Options) { o.Speed = 3000 })
	c.output.waitFor(t, `"triggerName":"hourly"`, 1)
	all := c.output.waitFor(t, `"triggerName":"tick"`, 3)
	var times []time.Time
	for line := range strings.Lines(all) {
		payload, ok := strings.CutPrefix(strings.TrimSpace(line), "payload ")
		var event struct {
			TriggerTime          time.Time
			TriggerName, Payload string
		}
		if !ok || json.Unmarshal([]byte(payload), &event) != nil {
			continue
		}
		switch event.TriggerName {
		case "tick":
			if event.Payload != `{"action":"follow"}` {
				t.Errorf("the payload is %q", event.Payload)
			}
			times = append(times, event.TriggerTime)
		case "hourly":
			if event.TriggerTime.Minute() != 17 || event.TriggerTime.Second() != 0 || event.TriggerTime.Location() != time.UTC {
				t.Errorf("fired at %v", event.TriggerTime)
			}
		default:
			t.Errorf("unexpected event %s", payload)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	if gap := times[1].Sub(times[0]); gap < 5*time.Minute {
		t.Errorf("two ticks are %v apart", gap)
	}
}

func TestCloseEndsPendingWork(t *testing.T) {
	t.Parallel()
	c := deploy(t, func(o *fcd.Options) { o.Speed = 1; o.RetryBase = time.Hour })
	c.InvokeAsync([]byte(`{"do":"fail","until":9}`), "test")
	c.output.waitFor(t, "FC Invoke End", 1)
	c.Close()
	if _, err := c.Invoke(t.Context(), nil); !errors.Is(err, fcd.ErrClosed) {
		t.Errorf("invoke: %v, want ErrClosed", err)
	}
	if got := c.Stats(); got.Instances != 0 || got.InFlight != 0 {
		t.Errorf("stats are %+v", got)
	}
}

func TestDeployRefuses(t *testing.T) {
	t.Parallel()
	spec, err := fcd.ParseSpec([]byte(specYAML), nil)
	if err != nil {
		t.Fatal(err)
	}
	bus := eventbus.New(region, accountID, discard())
	defer bus.Close()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*fcd.Options)
		want   string
	}{
		"another region":   {func(o *fcd.Options) { o.Region = "cn-beijing" }, "its region is cn-hangzhou"},
		"a missing bus":    {func(*fcd.Options) {}, "no event bus"},
		"a missing role":   {func(o *fcd.Options) { o.Bus = bus }, "no such role"},
		"a missing binary": {func(o *fcd.Options) { o.Bus = bus; o.Binary = "/no/such/binary" }, "find binary"},
	} {
		options := fcd.Options{Region: region, AccountID: accountID, Directory: account.New(accountID), Tap: trace.NewTap(0), Binary: binary}
		tc.change(&options)
		s, err := fcd.New(options)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Deploy(t.Context(), spec); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, tc.want)
		}
	}
}
