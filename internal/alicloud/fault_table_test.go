package alicloud_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/export"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
)

// An outsideCall is one call of an adapter, as the fault table makes it.
type outsideCall struct {
	action string // in RAM's notation
	op     string // of its errors
	tries  int    // at most, of HTTP requests
	get    bool   // a GET or HEAD, which net/http itself sends anew when an idle connection turns out to be closed
	bare   bool   // its answer has no body
	do     func(context.Context, *bench) error
	// then is what a repetition is told after the call was applied; empty when that is no different.
	then told
}

// told is an error as the caller sees it.
type told struct {
	code   string
	status int
	cause  error
}

var outsideCalls = map[string]outsideCall{
	"ECS.Image": {action: "ecs:DescribeImages", op: "DescribeImages", tries: 3, do: func(ctx context.Context, b *bench) error {
		_, found, err := b.ECS.Image(ctx, b.image)
		return there(found, err)
	}},
	"ECS.Images": {action: "ecs:DescribeImages", op: "DescribeImages", tries: 3, do: func(ctx context.Context, b *bench) error {
		images, _, err := b.ECS.Images(ctx, time.Time{}, 1)
		return there(len(images) > 0, err)
	}},
	"ECS.Export": {action: "ecs:ExportImage", op: "ExportImage", tries: 1, do: func(ctx context.Context, b *bench) error {
		accepted, err := b.ECS.Export(ctx, b.request(b.image))
		return there(accepted.TaskID != "", err)
	}},
	"ECS.Tasks": {action: "ecs:DescribeTasks", op: "DescribeTasks", tries: 3, do: func(ctx context.Context, b *bench) error {
		tasks, err := b.ECS.Tasks(ctx, []string{b.task})
		return there(len(tasks) == 1, err)
	}},
	"ECS.TasksOf": {action: "ecs:DescribeTasks", op: "DescribeTasks", tries: 3, do: func(ctx context.Context, b *bench) error {
		tasks, err := b.ECS.TasksOf(ctx, b.other, time.Time{})
		return there(len(tasks) == 1, err)
	}},
	"ECS.Detail": {action: "ecs:DescribeTaskAttribute", op: "DescribeTaskAttribute", tries: 3, do: func(ctx context.Context, b *bench) error {
		_, found, err := b.ECS.Detail(ctx, b.task)
		return there(found, err)
	}},
	"ECS.Cancel": {action: "ecs:CancelTask", op: "CancelTask", tries: 3, do: func(ctx context.Context, b *bench) error {
		return b.ECS.Cancel(ctx, b.task)
	}, then: told{code: "InvalidTaskId.IncorrectTaskStatus", status: 403}},

	"OSS.Bucket": {action: "oss:GetBucketInfo", op: "GetBucketInfo", tries: 4, get: true, do: func(ctx context.Context, b *bench) error {
		_, found, err := b.OSS.Bucket(ctx, bucket)
		return there(found, err)
	}},
	"OSS.Object": {action: "oss:GetObject", op: "HeadObject", tries: 4, get: true, bare: true, do: func(ctx context.Context, b *bench) error {
		_, found, err := b.OSS.Object(ctx, bucket, "there")
		return there(found, err)
	}},
	"OSS.Read": {action: "oss:GetObject", op: "GetObject", tries: 4, get: true, do: func(ctx context.Context, b *bench) error {
		part, err := b.OSS.Read(ctx, bucket, "there", 2, 4)
		return there(string(part) == "2345", err)
	}},
	"Store.Create": {action: "oss:PutObject", op: "PutObject", tries: 4, bare: true, do: func(ctx context.Context, b *bench) error {
		return b.OSS.Store(bucket).Create(ctx, "new", []byte("x"))
	}, then: told{cause: manifest.ErrExists}},
	"Store.Put": {action: "oss:PutObject", op: "PutObject", tries: 4, bare: true, do: func(ctx context.Context, b *bench) error {
		return b.OSS.Store(bucket).Put(ctx, "there", []byte("x"))
	}},
	"Store.Get": {action: "oss:GetObject", op: "GetObject", tries: 4, get: true, do: func(ctx context.Context, b *bench) error {
		content, err := b.OSS.Store(bucket).Get(ctx, "there")
		return there(string(content) == content10, err)
	}},
	"Store.Delete": {action: "oss:DeleteObject", op: "DeleteObject", tries: 4, bare: true, do: func(ctx context.Context, b *bench) error {
		return b.OSS.Store(bucket).Delete(ctx, "there")
	}},
	"Store.List": {action: "oss:ListObjects", op: "ListObjectsV2", tries: 4, get: true, do: func(ctx context.Context, b *bench) error {
		keys, _, err := b.OSS.Store(bucket).List(ctx, "", "", 10)
		return there(len(keys) == 1, err)
	}},
}

const content10 = "0123456789"

// there turns a silent absence into an error: under a fault it would be believed.
func there(found bool, err error) error {
	if err == nil && !found {
		return errors.New("what is there was reported as absent")
	}
	return err
}

// An outsideFault is what goes wrong with every try of a call.
type outsideFault struct {
	make func(service string, expire func()) trace.Fault
	// code and status of the error, by service; a status of -1 is the one of a good answer.
	code     map[string]string
	status   map[string]int
	applied  bool   // the call takes effect
	answered bool   // an answer comes back, so that a repetition finds the call applied
	inBody   bool   // harms only what is in a body
	spares   string // the one operation whose answer needs no more than what is left of it
	again    map[string]bool
	sure     bool // the error is unambiguous
	timeout  time.Duration
	cause    error
}

var (
	both = map[string]bool{"ecs": true, "oss": true}
	none = map[string]int{}
	good = map[string]int{"ecs": -1, "oss": -1}
)

func refuse(status int, code string) trace.Fault {
	return trace.Fault{Refuse: &trace.Refusal{Status: status, Code: code, Message: "injected"}}
}

func mangle(change func(body []byte) []byte) func(string, func()) trace.Fault {
	return func(string, func()) trace.Fault {
		return trace.Fault{Mangle: func(status int, body []byte) (int, []byte) { return status, change(body) }}
	}
}

func constantly(f trace.Fault) func(string, func()) trace.Fault {
	return func(string, func()) trace.Fault { return f }
}

var outsideFaults = map[string]outsideFault{
	"refused": {
		make: func(service string, _ func()) trace.Fault {
			return refuse(403, map[string]string{"ecs": "Forbidden.RAM", "oss": "AccessDenied"}[service])
		},
		code:   map[string]string{"ecs": "Forbidden.RAM", "oss": "AccessDenied"},
		status: map[string]int{"ecs": 403, "oss": 403}, sure: true,
	},
	"throttled": {
		make: func(service string, _ func()) trace.Fault {
			if service == "ecs" {
				return refuse(400, "Throttling.User")
			}
			return refuse(503, "TotalQpsLimitExceeded")
		},
		code:   map[string]string{"ecs": "Throttling.User", "oss": "TotalQpsLimitExceeded"},
		status: map[string]int{"ecs": 400, "oss": 503}, sure: true, again: map[string]bool{"oss": true},
	},
	"failing service": {
		make: constantly(refuse(500, "InternalError")), code: map[string]string{"ecs": "InternalError", "oss": "InternalError"},
		status: map[string]int{"ecs": 500, "oss": 500}, again: both,
	},
	"cut before it is applied":    {make: constantly(trace.Fault{Cut: trace.CutBefore}), status: none, again: both},
	"applied, cut without answer": {make: constantly(trace.Fault{Cut: trace.CutAfter}), status: none, again: both, applied: true},
	"cut in mid-body": {
		make: constantly(trace.Fault{Cut: trace.CutBody}), status: good, again: both, applied: true, inBody: true,
	},
	"502 in HTML": {
		make: constantly(trace.Fault{Mangle: func(int, []byte) (int, []byte) {
			return http.StatusBadGateway, []byte("<html><body><h1>502 Bad Gateway</h1></body></html>")
		}}),
		status: map[string]int{"ecs": 502, "oss": 502}, again: both, applied: true, answered: true,
	},
	"200 in HTML": {
		make:   mangle(func([]byte) []byte { return []byte("<html><body>log in first</body></html>") }),
		status: good, again: both, applied: true, inBody: true, answered: true,
	},
	"truncated document": {
		make:   mangle(func(body []byte) []byte { return body[:len(body)/2] }),
		status: good, again: both, applied: true, inBody: true, answered: true,
	},
	"empty document": {
		make:   mangle(func([]byte) []byte { return nil }),
		status: good, again: both, applied: true, inBody: true, answered: true,
	},
	"document of the wrong type": {
		make: func(service string, _ func()) trace.Fault {
			text := `<Other><BucketInfo>1</BucketInfo></Other>`
			if service == "ecs" {
				text = `{"RequestId":"R","Images":7,"TaskSet":7,"TaskId":["t"],"ExportTaskId":{},"OperationProgressSet":7}`
			}
			return mangle(func([]byte) []byte { return []byte(text) })(service, nil)
		},
		status: good, again: both, applied: true, inBody: true, answered: true, spares: "CancelTask",
	},
	"document in the wrong format": {
		make: func(service string, _ func()) trace.Fault {
			text := `{"BucketInfo":{}}`
			if service == "ecs" {
				text = `<?xml version="1.0"?><Other><RequestId>R</RequestId></Other>`
			}
			return mangle(func([]byte) []byte { return []byte(text) })(service, nil)
		},
		status: good, again: both, applied: true, inBody: true, answered: true,
	},
	"answer after the try's own time": {
		make: constantly(trace.Fault{AnswerDelay: time.Hour}), status: none, again: both, applied: true,
		timeout: 100 * time.Millisecond, cause: context.DeadlineExceeded,
	},
	"answer after the deadline": {
		make: func(_ string, expire func()) trace.Fault {
			return trace.Fault{AnswerDelay: time.Hour, Mangle: func(status int, body []byte) (int, []byte) {
				expire()
				return status, body
			}}
		},
		status: none, applied: true, cause: context.DeadlineExceeded,
	},
}

// TestFaultTable makes every outside call of the adapters under every fault, over real sockets. What must hold of each is in
// bench.judge; that no goroutine stays behind is checked when all tests have ended.
func TestFaultTable(t *testing.T) {
	t.Parallel()
	for callName, call := range outsideCalls {
		dialects := map[string]bool{"": false, " as in 2017": true}
		if strings.HasPrefix(call.action, "oss:") {
			delete(dialects, " as in 2017")
		}
		for dialect, seed := range dialects {
			for faultName, fault := range outsideFaults {
				t.Run(callName+dialect+"/"+faultName, func(t *testing.T) {
					t.Parallel()
					b := newBench(t, seed, fault.timeout)
					b.try(t, call, fault)
				})
			}
		}
	}
}

// A bench is a cloud with something to call for, a session whose requests are counted, and what they are signed with.
type bench struct {
	cloud *localcloud.Cloud
	*alicloud.Session
	keys         account.Identity
	log          lockedBuffer
	sent         atomic.Int32 // requests that the adapters have made
	image, other string       // other is being exported
	task         string       // of other
}

func newBench(t *testing.T, seed bool, timeout time.Duration) *bench {
	t.Helper()
	e := start(t, localcloud.Options{SeedDialect: seed, Speed: 1})
	b := &bench{cloud: e.Cloud}
	b.cloud.Directory.PutRole("tester", account.Policy{Version: "1", Statement: []account.Statement{{
		Effect: "Allow", Action: account.Strings{"sts:AssumeRole"}, Principal: &account.Principal{Service: account.Strings{"fc.aliyuncs.com"}},
	}}}, account.Administrator())
	var err error
	if b.keys, err = b.cloud.Directory.AssumeByService("fc.aliyuncs.com", "tester", "bench", time.Hour); err != nil {
		t.Fatal(err)
	}
	transport := alicloud.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	b.Session, err = alicloud.Open(alicloud.Options{
		Region: b.cloud.Region, AccountID: b.cloud.Directory.ID(),
		Credentials: alicloud.Static(alicloud.Credentials{
			AccessKeyID: b.keys.AccessKeyID, AccessKeySecret: b.keys.Secret, SecurityToken: b.keys.Token,
		}),
		ECSEndpoint: "http://" + b.cloud.Endpoints.ECS, OSSEndpoint: "http://" + b.cloud.Endpoints.OSS,
		HTTP: counting{transport, &b.sent}, Log: slog.New(slog.NewTextHandler(&b.log, nil)), Timeout: timeout,
		Backoff: alicloud.Backoff{First: time.Millisecond, Max: time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	// What is prepared is called for as others would, so that it takes no time from the calls under test.
	b.image, b.other = b.cloud.ECS.AddImage(ecsd.Image{Name: "golden"}), b.cloud.ECS.AddImage(ecsd.Image{Name: "other"})
	accepted, err := e.Session.ECS.Export(t.Context(), b.request(b.other))
	if err != nil {
		t.Fatal(err)
	}
	b.task = accepted.TaskID
	if err := e.Session.OSS.Store(bucket).Put(t.Context(), "there", []byte(content10)); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) request(image string) export.Request {
	return export.Request{
		ImageID: image, Role: localcloud.ExportRole, ClientToken: "token of " + image,
		Destination: manifest.Destination{Region: b.cloud.Region, Bucket: bucket, Prefix: "golden", Format: "raw"},
	}
}

// try makes a call under a fault.
func (b *bench) try(t *testing.T, call outsideCall, fault outsideFault) {
	t.Helper()
	service, _, _ := strings.Cut(call.action, ":")
	ctx := &expiring{Context: t.Context(), done: make(chan struct{})}
	var reached atomic.Int32
	b.cloud.Tap.Inject(func(c trace.Call) trace.Fault {
		if c.Action != call.action || c.Principal != b.keys.ARN {
			return trace.Fault{}
		}
		reached.Add(1)
		return fault.make(service, ctx.expire)
	})
	err := call.do(ctx, b)
	b.cloud.Tap.Inject(nil)
	b.judge(t, call, fault, service, err, int(reached.Load()))
}

func (b *bench) judge(t *testing.T, call outsideCall, fault outsideFault, service string, err error, reached int) {
	t.Helper()
	sent := int(b.sent.Load())
	if fault.inBody && call.bare || fault.spares == call.op {
		if err != nil || sent != 1 {
			t.Errorf("the answer has nothing to harm, but after %d requests: %v", sent, err)
		}
		return
	}
	want := told{code: fault.code[service], status: fault.status[service], cause: fault.cause}
	tries := 1
	if fault.again[service] {
		tries = call.tries
	}
	if fault.answered && call.then != (told{}) {
		want, tries = call.then, 2
	}
	b.judgeError(t, call, want, err, fault.sure)
	if sent != tries || reached > sent && !call.get {
		t.Errorf("%d requests were made and %d arrived, want %d", sent, reached, tries)
	}
	started := call.op == "ExportImage" && fault.applied
	if n := b.tasks(); n > 1 || (n == 1) != started {
		t.Errorf("ECS has %d tasks", n)
	}
	b.judgeSecrets(t, err)
	// The session is as good as before.
	if _, found, err := b.OSS.Bucket(t.Context(), bucket); !found || err != nil {
		t.Errorf("a call without a fault: %t %v", found, err)
	}
	if _, found, err := b.ECS.Image(t.Context(), b.image); !found || err != nil {
		t.Errorf("a call without a fault: %t %v", found, err)
	}
}

// tasks counts ECS's tasks of the image that was not exported before.
func (b *bench) tasks() int {
	n := 0
	for _, task := range b.cloud.ECS.Tasks() {
		if task.ImageID == b.image {
			n++
		}
	}
	return n
}

func (b *bench) judgeError(t *testing.T, call outsideCall, want told, err error, sure bool) {
	t.Helper()
	if want.cause != nil && !errors.Is(err, want.cause) {
		t.Errorf("the error is %v, want %v", err, want.cause)
	}
	if errors.Is(want.cause, manifest.ErrExists) {
		return // the store's own word for it
	}
	var got *export.CallError
	if !errors.As(err, &got) {
		t.Fatalf("the error is %v, not a *CallError", err)
	}
	status := got.Status
	if want.status < 0 && (status == http.StatusOK || status == http.StatusPartialContent || status == call.then.status) {
		status = -1 // the answer to the last try, whatever it was
	}
	if got.Op != call.op || got.Code != want.code || status != want.status || got.Ambiguous == sure || got.Message == "" {
		t.Errorf("the error is %+v, want %s %+v, ambiguous: %t", got, call.op, want, !sure)
	}
}

// judgeSecrets looks for the keys in what the caller and the log are told.
func (b *bench) judgeSecrets(t *testing.T, err error) {
	t.Helper()
	shown := b.log.String()
	for ; err != nil; err = errors.Unwrap(err) {
		shown += fmt.Sprintf("%v %+v %#v\n", err, err, err)
	}
	for _, secret := range []string{b.keys.AccessKeyID, b.keys.Secret, b.keys.Token} {
		once := url.QueryEscape(secret)
		for _, form := range []string{secret, once, url.QueryEscape(once)} {
			if strings.Contains(shown, form) {
				t.Errorf("%s is shown: %s", form, shown)
			}
		}
	}
	if strings.Contains(shown, "Signature") || strings.Contains(shown, "://") {
		t.Errorf("a signed URL is shown: %s", shown)
	}
}

// counting counts the requests that are made, whatever net/http makes of each.
type counting struct {
	http.RoundTripper
	n *atomic.Int32
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// An expiring context passes its deadline when it is told to.
type expiring struct {
	context.Context
	once sync.Once
	done chan struct{}
}

func (e *expiring) expire()               { e.once.Do(func() { close(e.done) }) }
func (e *expiring) Done() <-chan struct{} { return e.done }

func (e *expiring) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
