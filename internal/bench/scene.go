package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/config"
	"imageferry/internal/export"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/fcd"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
)

// A scene is an embedded cloud with a function deployed from s.yaml, without its timers: ticks come when the benchmark says so.
type scene struct {
	*localcloud.Cloud
	spec     fcd.Spec
	settings export.Settings
	recorder *recorder
	opened   time.Time
	latency  atomic.Int64 // of every call, as a time.Duration
	close    []func()
}

// never is a speed at which no task ends while somebody looks.
const never = 1e-4

// A stage is how a scene is set up.
type stage struct {
	function string // the folder; empty for a scene in which none is invoked
	speed    float64
	env      map[string]string
}

func (l *lab) open(ctx context.Context, s stage) (*scene, error) {
	binary, err := os.Executable() // a file will do where nothing is invoked
	if err == nil && s.function != "" {
		binary, err = l.binary(ctx, s.function)
	}
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(l.project, "s.yaml"))
	if err != nil {
		return nil, fmt.Errorf("open scene: %w", err)
	}
	cloud, err := localcloud.Start(localcloud.Options{Speed: s.speed})
	if err != nil {
		return nil, err
	}
	sc := &scene{Cloud: cloud, recorder: record(cloud.Tap), opened: time.Now().UTC(), close: []func(){cloud.Close}}
	sc.Tap.Inject(func(c trace.Call) trace.Fault {
		if byECS(c) {
			return trace.Fault{} // its time is part of the call that it is made for
		}
		return trace.Fault{Delay: time.Duration(sc.latency.Load())}
	})
	sc.spec, err = cloud.Deploy(ctx, localcloud.Deployment{
		Spec: []byte(strings.ReplaceAll(string(text), " enable: true", " enable: false")), Binary: binary, Env: s.env, MaxInstances: 1,
	})
	if err == nil {
		sc.settings, err = settingsOf(sc.spec, cloud)
	}
	if err != nil {
		sc.end()
		return nil, err
	}
	return sc, nil
}

// settingsOf are the domain's settings as the function has them.
func settingsOf(spec fcd.Spec, cloud *localcloud.Cloud) (export.Settings, error) {
	c, err := config.Parse(spec.Environment)
	if err != nil {
		return export.Settings{}, fmt.Errorf("read the configuration of s.yaml: %w", err)
	}
	return c.Settings(cloud.Region, cloud.Directory.ID()), nil
}

func (s *scene) end() {
	for _, f := range s.close {
		f()
	}
}

// delay adds so much to every call from now on.
func (s *scene) delay(d time.Duration) { s.latency.Store(int64(d)) }

// ferry is the domain in this process, over HTTP, with the administrator's keys and the clock given.
func (s *scene) ferry(now func() time.Time) (*export.Ferry, error) {
	transport := alicloud.NewTransport()
	s.close = append([]func(){transport.CloseIdleConnections}, s.close...)
	return s.ferryOver(transport, now)
}

func (s *scene) ferryOver(transport http.RoundTripper, now func() time.Time) (*export.Ferry, error) {
	cloud, err := s.session(transport)
	if err != nil {
		return nil, err
	}
	return export.New(cloud.Cloud(s.settings.ManifestBucket), s.settings, export.NewBucketMemory(), now, slog.New(slog.DiscardHandler)), nil
}

func (s *scene) session(transport http.RoundTripper) (*alicloud.Session, error) {
	keys := s.Administrator
	return alicloud.Open(alicloud.Options{
		Region: s.Region, AccountID: s.Directory.ID(),
		Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.Secret}),
		ECSEndpoint: "http://" + s.Endpoints.ECS, OSSEndpoint: "http://" + s.Endpoints.OSS, HTTP: transport,
	})
}

// A shortcut hands requests to the services of a cloud without a connection, for simulations of very many calls.
type shortcut struct{ *localcloud.Cloud }

func (c shortcut) RoundTrip(r *http.Request) (*http.Response, error) {
	var service http.Handler = c.ECS
	if r.URL.Host == c.Endpoints.OSS {
		service = c.OSS
	}
	r = r.Clone(r.Context())
	r.RemoteAddr, r.Host = "127.0.0.1:1", r.URL.Host
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer func() { _ = r.Body.Close() }()
	answer := httptest.NewRecorder()
	service.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// invoke invokes the function and returns how long it took, the start of a process included. A function that fails is an error.
func (s *scene) invoke(ctx context.Context, event []byte) (time.Duration, error) {
	result, err := s.FC.Invoke(ctx, event)
	if err == nil && result.ErrorType != "" {
		err = fmt.Errorf("the function failed: %.500s", result.Payload)
	}
	if err != nil {
		return 0, err
	}
	return result.Duration, nil
}

// imageEvent tells the function of an image, as EventBridge does.
func (s *scene) imageEvent(imageID, state string) []byte {
	return encode(map[string]any{
		"id": manifest.Nonce(), "source": "acs.ecs", "specversion": "1.0", "type": "ecs:Image:StateChange",
		"time": time.Now().UTC().Format(time.RFC3339), "aliyunaccountid": s.Directory.ID(), "aliyunregionid": s.Region,
		"data": map[string]string{"imageId": imageID, "currentState": state},
	})
}

// timerEvent is a timer's, with a payload such as {"action":"follow"}.
func timerEvent(payload map[string]any) []byte {
	return encode(map[string]any{
		"triggerTime": time.Now().UTC().Format(time.RFC3339), "triggerName": "bench", "payload": string(encode(payload)),
	})
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings always encode
	}
	return data
}
