package fcd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/fc-runtime-go-sdk/fc"
	"github.com/aliyun/fc-runtime-go-sdk/fccontext"
	"go.uber.org/goleak"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/eventbus"
	"imageferry/internal/localcloud/fcd"
	"imageferry/internal/localcloud/trace"
)

const (
	region    = "cn-hangzhou"
	accountID = "1234567890123456"
	// asFunction makes the test binary the function that is deployed.
	asFunction = "FCD_TEST_FUNCTION"
	// alwaysFail makes the function fail, whatever it is told.
	alwaysFail = "FCD_TEST_FAIL"
)

func TestMain(m *testing.M) {
	if os.Getenv(asFunction) != "" {
		fc.Start(handle)
		return
	}
	goleak.VerifyTestMain(m)
}

// A script tells the function what to do.
type script struct {
	Do string `json:"do"`
	// Until is the retry from which on "fail" succeeds.
	Until int `json:"until"`
}

// A report is the answer to the script "context".
type report struct {
	RequestID, AccessKeyID, Token, Function, Handler, Region, Account string
	Timeout, Retry, PID                                               int
	Left                                                              time.Duration
	Environment                                                       []string
}

func handle(ctx context.Context, payload json.RawMessage) (any, error) {
	var s script
	_ = json.Unmarshal(payload, &s) // a payload that is no script is echoed
	if os.Getenv(alwaysFail) != "" {
		s = script{Do: "fail", Until: 99}
	}
	c, _ := fccontext.FromContext(ctx)
	switch s.Do {
	case "fail":
		if c.RetryCount < s.Until {
			return nil, errors.New("as told")
		}
	case "panic":
		panic("as told")
	case "exit":
		os.Exit(3)
	case "hang":
		fmt.Println("hanging")
		<-context.Background().Done()
	case "context":
		deadline, _ := ctx.Deadline()
		return report{
			RequestID: c.RequestID, AccessKeyID: c.Credentials.AccessKeyId, Token: c.Credentials.SecurityToken,
			Function: c.Function.Name, Handler: c.Function.Handler, Region: c.Region, Account: c.AccountId,
			Timeout: c.Function.Timeout, Retry: c.RetryCount, PID: os.Getpid(), Left: time.Until(deadline), Environment: os.Environ(),
		}, nil
	}
	fmt.Printf("payload %s\n", payload)
	return payload, nil
}

const specYAML = `
edition: 3.0.0
name: test
vars: {region: cn-hangzhou}
resources:
  test:
    component: fc3
    props:
      functionName: test
      region: ${vars.region}
      runtime: go1
      handler: main
      code: ./target
      memorySize: 128
      cpu: 0.05
      timeout: 30
      role: Test-Role
      environmentVariables: {TEST_NAME: value, TEST_OTHER: other}
      asyncInvokeConfig:
        maxAsyncRetryAttempts: 2
        destinationConfig: {onFailure: {destination: "acs:mns:cn-hangzhou::/queues/failed/messages"}}
      triggers:
        - {triggerName: http, triggerType: http, triggerConfig: {authType: function, methods: [GET, POST]}}
        - triggerName: images
          triggerType: eventbridge
          triggerConfig:
            triggerEnable: true
            asyncInvocationType: true
            eventRuleFilterPattern: '{"type":[{"suffix":":Image:StateChange"}]}'
            eventSourceConfig: {eventSourceType: Default}
`

// A cloud is a deployed function with all that surrounds it.
type cloud struct {
	*fcd.Server
	dir    *account.Directory
	tap    *trace.Tap
	bus    *eventbus.Bus
	output *output
}

// deploy starts a Server with the function that specYAML describes, after change has had its way with the options.
func deploy(t *testing.T, change func(*fcd.Options)) *cloud {
	t.Helper()
	return deployYAML(t, specYAML, change)
}

func deployYAML(t *testing.T, document string, change func(*fcd.Options)) *cloud {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{dir: account.New(accountID), tap: trace.NewTap(0), output: &output{changed: make(chan struct{})}}
	options := fcd.Options{
		Region: region, AccountID: accountID, Directory: c.dir, Tap: c.tap, Speed: 1000, Binary: binary,
		Env: map[string]string{asFunction: "1", "TEST_OTHER": "overridden"}, Output: c.output,
	}
	c.bus = eventbus.New(region, accountID, discard())
	options.Bus = c.bus
	if change != nil {
		change(&options)
	}
	c.putRole(t, `"mns:SendMessage"`)
	spec, err := fcd.ParseSpec([]byte(document), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Server, err = fcd.New(options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	t.Cleanup(c.bus.Close)
	if err := c.Deploy(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	return c
}

// putRole gives the function's role one permission.
func (c *cloud) putRole(t *testing.T, action string) {
	t.Helper()
	c.dir.PutRole("test-role",
		policy(t, `{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":["fc.aliyuncs.com"]}}]}`),
		policy(t, `{"Version":"1","Statement":[{"Effect":"Allow","Action":`+action+`,"Resource":"*"}]}`))
}

func policy(t *testing.T, document string) account.Policy {
	t.Helper()
	p, err := account.ParsePolicy([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (c *cloud) idle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.Idle(ctx); err != nil {
		t.Fatal(err)
	}
}

func (c *cloud) invoke(t *testing.T, payload string) fcd.Result {
	t.Helper()
	result, err := c.Invoke(t.Context(), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (c *cloud) context(t *testing.T) report {
	t.Helper()
	var r report
	if err := json.Unmarshal(c.invoke(t, `{"do":"context"}`).Payload, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// An output keeps what the function prints.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(p)
}

// waitFor blocks until the function has printed the text the given number of times, and returns all that it has printed.
func (o *output) waitFor(t *testing.T, text string, times int) string {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		o.mu.Lock()
		all, changed := o.text.String(), o.changed
		o.mu.Unlock()
		if strings.Count(all, text) >= times {
			return all
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the function has not printed %q %d times, but:\n%s", text, times, all)
		}
	}
}
