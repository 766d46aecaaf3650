package ecsd_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/eventbus"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/trace"
)

const (
	accountID  = "1234567890123456"
	exportRole = "AliyunECSImageExportDefaultRole"
)

// roleActions are what the export role needs.
var roleActions = []string{"oss:GetObject", "oss:PutObject", "oss:DeleteObject", "oss:GetBucketLocation", "oss:GetBucketInfo",
	"oss:AbortMultipartUpload", "oss:ListMultipartUploads", "oss:ListParts"}

// buckets is an OSS that authorizes as the real one does.
type buckets struct {
	dir *account.Directory

	mu      sync.Mutex
	info    map[string]ecsd.BucketInfo
	objects map[string]content.Content
	classes map[string]string // of objects that are not Standard
}

func (b *buckets) GetBucketInfo(_ context.Context, as account.Identity, bucket string) (ecsd.BucketInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	info, ok := b.info[bucket]
	switch {
	case !ok:
		return ecsd.BucketInfo{}, fmt.Errorf("get bucket info: %w", ecsd.ErrNoSuchBucket)
	case !b.dir.Allowed(as, "oss:GetBucketInfo", "acs:oss:oss-"+info.Region+":"+accountID+":"+bucket, nil):
		return ecsd.BucketInfo{}, fmt.Errorf("get bucket info: %w", ecsd.ErrDenied)
	}
	return info, nil
}

func (b *buckets) PutObject(_ context.Context, as account.Identity, bucket, key string, body content.Content) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.dir.Allowed(as, "oss:PutObject", "acs:oss:oss-cn-hangzhou:"+accountID+":"+bucket+"/"+key, nil) {
		return fmt.Errorf("put object: %w", ecsd.ErrDenied)
	}
	b.objects[bucket+"/"+key] = body
	return nil
}

func (b *buckets) HeadObject(ctx context.Context, as account.Identity, bucket, key string) (ecsd.ObjectInfo, error) {
	body, err := b.GetObject(ctx, as, bucket, key)
	b.mu.Lock()
	defer b.mu.Unlock()
	return ecsd.ObjectInfo{Size: body.Size(), StorageClass: b.classes[bucket+"/"+key]}, err
}

func (b *buckets) GetObject(_ context.Context, as account.Identity, bucket, key string) (content.Content, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	body, ok := b.objects[bucket+"/"+key]
	switch {
	case !b.dir.Allowed(as, "oss:GetObject", "acs:oss:oss-cn-hangzhou:"+accountID+":"+bucket+"/"+key, nil):
		return content.Content{}, fmt.Errorf("get object: %w", ecsd.ErrDenied)
	case !ok:
		return content.Content{}, fmt.Errorf("get object: %w", ecsd.ErrNoSuchObject)
	}
	return body, nil
}

// put stores an object, as somebody other than ECS does.
func (b *buckets) put(key string, body content.Content) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.objects["images/"+key] = body
}

func (b *buckets) remove(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, "images/"+key)
}

func (b *buckets) object(key string) content.Content {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.objects["images/"+key]
}

// all returns the objects by bucket/key.
func (b *buckets) all() map[string][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string][]byte{}
	for key, body := range b.objects {
		all[key] = body.Bytes()
	}
	return all
}

func (b *buckets) keys() []string { return slices.Sorted(maps.Keys(b.all())) }

// events records what it is told.
type events struct {
	mu     sync.Mutex
	states []string
	calls  []eventbus.APICall
}

func (e *events) ImageStateChanged(imageID, state string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.states = append(e.states, imageID+" "+state)
}

func (e *events) APICalled(call eventbus.APICall) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, call)
}

func (e *events) all() ([]string, []eventbus.APICall) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.states), slices.Clone(e.calls)
}

type world struct {
	t       testing.TB
	dir     *account.Directory
	tap     *trace.Tap
	buckets *buckets
	events  *events
	server  *ecsd.Server
	caller  account.Identity
}

func newWorld(t testing.TB, change ...func(*ecsd.Options)) *world {
	t.Helper()
	w := &world{t: t, dir: account.New(accountID), tap: trace.NewTap(0), events: &events{}}
	w.buckets = &buckets{dir: w.dir, objects: map[string]content.Content{}, classes: map[string]string{}, info: map[string]ecsd.BucketInfo{
		"images": {Region: "cn-hangzhou", StorageClass: "Standard"}}}
	w.caller = w.dir.PutUser("admin", account.Administrator())
	w.setRole(roleActions...)
	options := ecsd.Options{Region: "cn-hangzhou", Directory: w.dir, Tap: w.tap, Buckets: w.buckets, Events: w.events,
		Speed: 1, ExportDuration: 10 * time.Minute, CreateDuration: 3 * time.Minute, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&options)
	}
	w.server = ecsd.New(options)
	t.Cleanup(w.server.Close)
	return w
}

// setRole gives the export role the permission for the actions.
func (w *world) setRole(actions ...string) {
	w.dir.PutRole(exportRole, trust("ecs.aliyuncs.com"), account.Policy{Version: "1", Statement: []account.Statement{
		{Effect: "Allow", Action: actions, Resource: account.Strings{"*"}}}})
}

func trust(service string) account.Policy {
	return account.Policy{Version: "1", Statement: []account.Statement{{Effect: "Allow", Action: account.Strings{"sts:AssumeRole"},
		Principal: &account.Principal{Service: account.Strings{service}}}}}
}

// answer is a decoded JSON answer.
type answer map[string]any

// at walks through objects and lists.
func (a answer) at(path ...any) any {
	var v any = map[string]any(a)
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			l, _ := v.([]any)
			if step >= len(l) {
				return nil
			}
			v = l[step]
		}
	}
	return v
}

func (a answer) text(path ...any) string {
	s, _ := a.at(path...).(string)
	return s
}

// as calls an action in process, without a network.
func (w *world) as(id account.Identity, action string, pairs ...string) (int, answer) {
	w.t.Helper()
	v := url.Values{"Action": {action}, "Version": {"2014-05-26"}, "Format": {"JSON"}, "RegionId": {"cn-hangzhou"}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	openapi.SignRPC(http.MethodGet, v, id, time.Now())
	recorder := httptest.NewRecorder()
	w.server.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/?"+v.Encode(), nil))
	body, _ := io.ReadAll(recorder.Body)
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		w.t.Fatalf("%s: decode %s: %v", action, body, err)
	}
	return recorder.Code, a
}

// do calls an action that has to succeed.
func (w *world) do(action string, pairs ...string) answer {
	w.t.Helper()
	status, a := w.as(w.caller, action, pairs...)
	if status != http.StatusOK {
		w.t.Fatalf("%s %v: %d %v", action, pairs, status, a)
	}
	return a
}

// fails calls an action that has to be answered with the error.
func (w *world) fails(status int, code, action string, pairs ...string) answer {
	w.t.Helper()
	got, a := w.as(w.caller, action, pairs...)
	if got != status || a.text("Code") != code {
		w.t.Errorf("%s %v: %d %v, want %d %s", action, pairs, got, a, status, code)
	}
	return a
}

// export starts an export and returns the task's id.
func (w *world) export(image string, pairs ...string) string {
	w.t.Helper()
	return w.do("ExportImage", append([]string{"ImageId", image, "OSSBucket", "images"}, pairs...)...).text("TaskId")
}

func (w *world) status(task string) string {
	w.t.Helper()
	return w.do("DescribeTaskAttribute", "TaskId", task).text("TaskStatus")
}

// made returns the actions that the export role called.
func (w *world) made() []string {
	var actions []string
	for _, call := range w.tap.Calls() {
		if strings.Contains(call.Principal, "assumed-role") && call.Service == "oss" {
			actions = append(actions, call.Action)
		}
	}
	return actions
}
