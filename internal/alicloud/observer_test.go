package alicloud

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"imageferry/internal/export"
)

type tries struct {
	mutex sync.Mutex
	all   []string
}

func (s *tries) Called(_ context.Context, api, class string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.all = append(s.all, strings.TrimSpace(api+" "+class))
}

func TestObserver(t *testing.T) {
	t.Parallel()
	ecsError := func(status int, code string) http.HandlerFunc {
		return jsonAnswer(status, `{"Code":"`+code+`","Message":"no","RequestId":"1"}`)
	}
	ossError := func(status int, code string) http.HandlerFunc {
		return xmlAnswer(status, `<Error><Code>`+code+`</Code><Message>no</Message></Error>`)
	}
	images := func(ctx context.Context, s *Session) { _, _, _ = s.ECS.Image(ctx, "m-1") }
	get := func(ctx context.Context, s *Session) { _, _ = s.OSS.Store("bucket").Get(ctx, "key") }
	create := func(ctx context.Context, s *Session) { _ = s.OSS.Store("bucket").Create(ctx, "key", []byte("x")) }
	for name, c := range map[string]struct {
		call   func(context.Context, *Session)
		answer http.HandlerFunc
		change func(*Options)
		want   []string
	}{
		"done":               {images, jsonAnswer(200, `{"RequestId":"1","Images":{"Image":[]}}`), nil, []string{"ecs:DescribeImages"}},
		"done at last":       {images, answers(jsonAnswer(503, "{}"), jsonAnswer(200, `{"RequestId":"1","Images":{"Image":[]}}`)), nil, []string{"ecs:DescribeImages unavailable", "ecs:DescribeImages"}},
		"throttled":          {images, ecsError(400, "Throttling.User"), nil, []string{"ecs:DescribeImages throttled"}},
		"quota":              {images, ecsError(403, "WeeklyQuotaExceed.ExportImage"), nil, []string{"ecs:DescribeImages quota"}},
		"denied":             {images, ecsError(403, "Forbidden.RAM"), nil, []string{"ecs:DescribeImages denied"}},
		"not found":          {images, ecsError(404, "InvalidRegionId.NotFound"), nil, []string{"ecs:DescribeImages not-found"}},
		"refused":            {images, ecsError(400, "MissingParameter"), nil, []string{"ecs:DescribeImages refused"}},
		"redirected":         {images, redirect, nil, []string{"ecs:DescribeImages refused"}},
		"unreadable":         {images, jsonAnswer(200, "<html>"), nil, slices.Repeat([]string{"ecs:DescribeImages unreadable"}, ecsTries)},
		"unreachable":        {images, hangUp, nil, slices.Repeat([]string{"ecs:DescribeImages unreachable"}, ecsTries)},
		"no such object":     {get, ossError(404, "NoSuchKey"), nil, []string{"oss:GetObject"}},
		"no such bucket":     {get, ossError(404, "NoSuchBucket"), nil, []string{"oss:GetObject not-found"}},
		"object there":       {create, ossError(409, "FileAlreadyExists"), nil, []string{"oss:PutObject"}},
		"too many operation": {create, ossError(503, "TotalQpsLimitExceeded"), nil, slices.Repeat([]string{"oss:PutObject throttled"}, ossTries)},
		"no credentials": {images, hangUp, func(o *Options) {
			o.Credentials = func(context.Context) (Credentials, error) { return Credentials{}, errors.New("none") }
		}, []string{"ecs:DescribeImages unsent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := &tries{}
			session := open(t, serve(t, c.answer), func(o *Options) { o.Observer = seen }, func(o *Options) {
				if c.change != nil {
					c.change(o)
				}
			})
			c.call(t.Context(), session)
			if !slices.Equal(seen.all, c.want) {
				t.Errorf("observed %q, want %q", seen.all, c.want)
			}
		})
	}
}

// A try whose own time is over is a timeout; one that the caller gave up is not.
func TestObserverOfSlowTries(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 1)
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-r.Context().Done()
	})
	seen := &tries{}
	late := open(t, slow, func(o *Options) { o.Observer, o.Timeout = seen, 20*time.Millisecond })
	_, _ = late.ECS.Export(t.Context(), export.Request{ImageID: "m-1"})
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	_, _ = open(t, slow, func(o *Options) { o.Observer = seen }).ECS.Export(ctx, export.Request{ImageID: "m-1"})
	if want := []string{"ecs:ExportImage timeout", "ecs:ExportImage given-up"}; !slices.Equal(seen.all, want) {
		t.Errorf("observed %q, want %q", seen.all, want)
	}
}

func TestObserverOfIdentity(t *testing.T) {
	t.Parallel()
	seen := &tries{}
	s := serve(t, jsonAnswer(200, `{"AccountId":"1234567890123456","Arn":"acs:ram::1234567890123456:user/a","RequestId":"1"}`))
	transport := NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	options := Options{Region: "cn-hangzhou", Credentials: Static(testCredentials), HTTP: transport, Observer: seen}
	if _, err := WhoAmI(t.Context(), options, s.URL); err != nil {
		t.Fatal(err)
	}
	if want := []string{"sts:GetCallerIdentity"}; !slices.Equal(seen.all, want) {
		t.Errorf("observed %q, want %q", seen.all, want)
	}
}
