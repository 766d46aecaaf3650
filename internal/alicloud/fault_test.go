package alicloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/export"
)

// wanted is what a table says of an error.
type wanted struct {
	code      string
	status    int
	ambiguous bool
	cause     error
	requests  int // that a read sends; an export always sends one at most
}

var ecsFaults = map[string]struct {
	handle http.HandlerFunc
	want   wanted
}{
	"refused":               {jsonAnswer(403, `{"Code":"ImageIsExporting","Message":"The specified Image is being exported.","RequestId":"R-1"}`), wanted{code: "ImageIsExporting", status: 403, requests: 1}},
	"refused in XML":        {answer(400, "text/xml", `<?xml version="1.0"?><Error><RequestId>R-1</RequestId><HostId>h</HostId><Code>OssBucket.NotFound</Code><Message>The specified OssBucket does not exist.</Message></Error>`), wanted{code: "OssBucket.NotFound", status: 400, requests: 1}},
	"numeric code":          {jsonAnswer(400, `{"Code":400,"Message":17,"RequestId":5}`), wanted{code: "400", status: 400, requests: 1}},
	"wrong types":           {jsonAnswer(400, `{"Code":{"a":1},"Message":[]}`), wanted{status: 400, ambiguous: true, requests: 1}},
	"no code":               {jsonAnswer(403, `{}`), wanted{status: 403, ambiguous: true, requests: 1}},
	"throttled":             {jsonAnswer(400, `{"Code":"Throttling.User","Message":"Request was denied due to user flow control."}`), wanted{code: "Throttling.User", status: 400, requests: 1}},
	"throttled, 503":        {jsonAnswer(503, `{"Code":"Rejected.Throttling","Message":"m"}`), wanted{code: "Rejected.Throttling", status: 503, requests: 1}},
	"internal error":        {jsonAnswer(500, `{"Code":"InternalError","Message":"m"}`), wanted{code: "InternalError", status: 500, ambiguous: true, requests: 3}},
	"gateway":               {answer(502, "text/html", `<html><body>Bad Gateway</body></html>`), wanted{status: 502, ambiguous: true, requests: 3}},
	"empty 503":             {answer(503, "text/plain", ``), wanted{status: 503, ambiguous: true, requests: 3}},
	"HTML for an answer":    {answer(200, "text/html", `<html><body>log in</body></html>`), wanted{status: 200, ambiguous: true, requests: 3}},
	"empty answer":          {jsonAnswer(200, ``), wanted{status: 200, ambiguous: true, requests: 3}},
	"half an answer":        {jsonAnswer(200, `{"RequestId":"R-1","Ta`), wanted{status: 200, ambiguous: true, requests: 3}},
	"array":                 {jsonAnswer(200, `[1]`), wanted{status: 200, ambiguous: true, requests: 3}},
	"answer of wrong types": {jsonAnswer(200, `{"RequestId":{"a":1},"RegionId":[]}`), wanted{status: 200, ambiguous: true, requests: 3}},
	"truncated answer":      {truncated(200, "application/json", `{"RequestId":"R-1"}`), wanted{status: 200, ambiguous: true, cause: io.ErrUnexpectedEOF, requests: 3}},
	"truncated refusal":     {truncated(403, "application/json", `{"Code":"Forbidden"`), wanted{status: 403, ambiguous: true, cause: io.ErrUnexpectedEOF, requests: 3}},
	"cut":                   {hangUp, wanted{ambiguous: true, cause: io.EOF, requests: 3}},
	"redirected":            {redirect, wanted{status: 307, ambiguous: true, requests: 1}},
	"signature mismatch":    {echo(400, `{"Code":"SignatureDoesNotMatch","Message":"Specified signature is not matched. server string to sign is:%s"}`), wanted{code: "SignatureDoesNotMatch", status: 400, requests: 1}},
	"echo in a field":       {echo(400, `{"Code":"%[1]s","RequestId":"%[1]s","Message":"m"}`), wanted{status: 400, ambiguous: true, requests: 1}},
	"echo in HTML":          {echo(500, `<html>%s</html>`), wanted{status: 500, ambiguous: true, requests: 3}},
}

func TestECSFaults(t *testing.T) {
	t.Parallel()
	for name, test := range ecsFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.handle)
			_, _, err := open(t, s).ECS.Image(t.Context(), "m-1")
			check(t, callError(t, err), "DescribeImages", test.want)
			if s.count() != test.want.requests {
				t.Errorf("a read sent %d requests, want %d", s.count(), test.want.requests)
			}

			s = serve(t, test.handle)
			_, err = open(t, s).ECS.Export(t.Context(), exportRequest)
			check(t, callError(t, err), "ExportImage", test.want)
			if s.count() != 1 {
				t.Errorf("an export sent %d requests", s.count())
			}
		})
	}
}

func check(t *testing.T, e *export.CallError, op string, want wanted) {
	t.Helper()
	if e.Op != op || e.Code != want.code || e.Status != want.status || e.Ambiguous != want.ambiguous || e.Message == "" {
		t.Errorf("got %+v, want %+v", e, want)
	}
	if want.cause == nil && e.Cause != nil || !errors.Is(e.Cause, want.cause) {
		t.Errorf("cause %v, want %v", e.Cause, want.cause)
	}
}

func TestReadRecovers(t *testing.T) {
	t.Parallel()
	s := serve(t, answers(hangUp, jsonAnswer(503, `{"Code":"ServiceUnavailable","Message":"m"}`), jsonAnswer(200, fullImage)))
	if _, found, err := open(t, s).ECS.Image(t.Context(), "m-1"); !found || err != nil || s.count() != 3 {
		t.Errorf("got %v, %v after %d requests", found, err, s.count())
	}
}

func TestRefusedConnectionStartsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, hangUp)
	session := open(t, s)
	s.Close()
	_, err := session.ECS.Export(t.Context(), exportRequest)
	e := callError(t, err)
	check(t, e, "ExportImage", wanted{cause: syscall.ECONNREFUSED})
	if !strings.Contains(e.Message, "not sent") {
		t.Errorf("got %+v", e)
	}
}

func TestCallsEndWithTheContext(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *Session) error{
		"ecs": func(ctx context.Context, s *Session) error { _, err := s.ECS.Export(ctx, exportRequest); return err },
		"bucket": func(ctx context.Context, s *Session) error {
			_, _, err := s.OSS.Bucket(ctx, "golden-images")
			return err
		},
		"create": func(ctx context.Context, s *Session) error {
			return s.OSS.Store("golden-images").Create(ctx, "k", []byte("x"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			reached := make(chan struct{}, 1)
			s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				reached <- struct{}{}
				<-r.Context().Done()
			})
			go func() { <-reached; cancel() }()
			err := call(ctx, open(t, s))
			if e := callError(t, err); !errors.Is(err, context.Canceled) || !e.Ambiguous || s.count() != 1 {
				t.Errorf("got %+v after %d requests", e, s.count())
			}
			err = call(ctx, open(t, s))
			if e := callError(t, err); !errors.Is(err, context.Canceled) || e.Ambiguous || s.count() != 1 {
				t.Errorf("a call after that: got %+v after %d requests", e, s.count())
			}
		})
	}
}

func TestTryHasATimeOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		session := offline(t, func(r *http.Request) (*http.Response, error) {
			tries++
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		_, err := session.ECS.Export(t.Context(), exportRequest)
		e := callError(t, err)
		check(t, e, "ExportImage", wanted{ambiguous: true, cause: context.DeadlineExceeded})
		if tries != 1 || time.Since(start) != 20*time.Second || !strings.Contains(e.Message, "20s") {
			t.Errorf("%d tries in %v: %v", tries, time.Since(start), e)
		}
	})
}

func TestWaitsGrowAndEndWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		session := offline(t, func(*http.Request) (*http.Response, error) {
			at = append(at, time.Now())
			return nil, io.EOF
		})
		_ = session.OSS.Store("golden-images").Put(t.Context(), "k", nil)
		if len(at) != ossTries {
			t.Fatalf("%d tries", len(at))
		}
		for i, bound := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
			if pause := at[i+1].Sub(at[i]); pause > bound {
				t.Errorf("wait %d is %v, longer than %v", i, pause, bound)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		at = nil
		start := time.Now()
		err := session.OSS.Store("golden-images").Put(ctx, "k", nil)
		if e := callError(t, err); len(at) != 1 || time.Since(start) != 0 || !errors.Is(e, io.EOF) {
			t.Errorf("%d tries in %v: %v", len(at), time.Since(start), e)
		}
	})
}

// offline is a session at the real endpoints over a transport without a network.
func offline(t *testing.T, send roundTripper) *Session {
	t.Helper()
	session, err := Open(Options{Region: "cn-beijing", Credentials: Static(testCredentials), HTTP: send})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func TestRealEndpointsAreHTTPS(t *testing.T) {
	t.Parallel()
	var urls []string
	session := offline(t, func(r *http.Request) (*http.Response, error) {
		urls = append(urls, r.URL.Scheme+"://"+r.URL.Host+r.URL.Path)
		return &http.Response{StatusCode: 403, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})
	_, err := session.ECS.Export(t.Context(), exportRequest)
	callError(t, err)
	_, _, err = session.OSS.Bucket(t.Context(), "golden-images")
	callError(t, err)
	callError(t, session.OSS.Store("golden-images").Put(t.Context(), "a/b", nil))
	want := []string{
		"https://ecs.cn-beijing.aliyuncs.com/",
		"https://golden-images.oss-cn-beijing-internal.aliyuncs.com/",
		"https://golden-images.oss-cn-beijing-internal.aliyuncs.com/a/b",
	}
	if fmt.Sprint(urls) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", urls, want)
	}
}

func TestOpenRefusesMistakes(t *testing.T) {
	t.Parallel()
	good := Options{Region: "cn-hangzhou", Credentials: Static(testCredentials), HTTP: roundTripper(nil)}
	for name, change := range map[string]func(*Options){
		"no region":      func(o *Options) { o.Region = "" },
		"bad region":     func(o *Options) { o.Region = "evil.example/?" },
		"no provider":    func(o *Options) { o.Credentials = nil },
		"no transport":   func(o *Options) { o.HTTP = nil },
		"plain ECS":      func(o *Options) { o.ECSEndpoint = "http://ecs.aliyuncs.com" },
		"plain OSS":      func(o *Options) { o.OSSEndpoint = "http://oss-cn-hangzhou.aliyuncs.com" },
		"path in an URL": func(o *Options) { o.OSSEndpoint = "https://host/bucket" },
	} {
		options := good
		change(&options)
		if _, err := Open(options); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCredentialsThatFail(t *testing.T) {
	t.Parallel()
	s := serve(t, hangUp)
	for name, provider := range map[string]Provider{
		"error": func(context.Context) (Credentials, error) {
			return testCredentials, errors.New("GET http://169.254.169.254/x: " + testCredentials.SecurityToken)
		},
		"none": Static(Credentials{}),
	} {
		session := open(t, s, func(o *Options) { o.Credentials = provider })
		_, err := session.ECS.Export(t.Context(), exportRequest)
		if e := callError(t, err); e.Ambiguous || e.Status != 0 {
			t.Errorf("%s: got %+v", name, e)
		}
	}
	if s.count() != 0 {
		t.Errorf("%d requests were sent", s.count())
	}
}

func TestKeyOfAPersonHasNoToken(t *testing.T) {
	t.Parallel()
	s := serve(t, jsonAnswer(200, fullImage))
	session := open(t, s, func(o *Options) {
		o.Credentials = Static(Credentials{AccessKeyID: "LTAIfake", AccessKeySecret: "fake"})
	})
	if _, _, err := session.ECS.Image(t.Context(), "m-1"); err != nil || s.last().URL.Query().Has("SecurityToken") {
		t.Errorf("%v, %v", err, s.last().URL.Query())
	}
}

func TestManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			jsonAnswer(200, fullImage)(w, r)
			return
		}
		xmlAnswer(404, `<Error><Code>NoSuchKey</Code></Error>`)(w, r)
	})
	session := open(t, s)
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if _, found, err := session.ECS.Image(t.Context(), "m-1"); !found || err != nil {
				t.Error(found, err)
			}
			if _, found, err := session.OSS.Object(t.Context(), "golden-images", "k"); found || err != nil {
				t.Error(found, err)
			}
		})
	}
	group.Wait()
}
