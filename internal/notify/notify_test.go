package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func formats() []Format { return []Format{JSON, DingTalk, Feishu, WeCom, Slack} }

func open(t testing.TB, s Settings) *Notifier {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	n, err := New(s, transport, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// noticeOf is the error of Send; it also checks that nothing secret is shown.
func noticeOf(t *testing.T, err error) *export.NoticeError {
	t.Helper()
	notice, ok := errors.AsType[*export.NoticeError](err)
	if !ok {
		t.Fatalf("error %v", err)
	}
	assertClean(t, fmt.Sprintf("%v %+v %v", err, err, notice.Cause))
	return notice
}

func assertClean(t *testing.T, shown string) {
	t.Helper()
	if _, sign, ok := strings.Cut(shown, "sign="); ok && !strings.HasPrefix(sign, "***") {
		t.Errorf("shows a signature: %s", shown)
	}
	for _, secret := range []string{token, chatSecret, jsonSecret, strings.TrimPrefix(jsonSecret, "whsec_")} {
		if strings.Contains(shown, secret) {
			t.Errorf("shows %s: %s", secret, shown)
		}
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	for _, f := range formats() {
		for name, m := range map[string]*manifest.Manifest{"failed": failed(), "exported": exported(), "hostile": hostile()} {
			t.Run(string(f)+" "+name, func(t *testing.T) {
				t.Parallel()
				s, url := serve(t, f)
				if err := open(t, settings(f, url)).Send(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				var body bytes.Buffer
				if err := json.Indent(&body, s.taken[0], "", "  "); err != nil {
					t.Fatal(err)
				}
				body.WriteByte('\n')
				golden := fmt.Sprintf("testdata/%s-%s.json", f, name)
				stable := bytes.ReplaceAll(body.Bytes(), []byte(s.URL), []byte("https://receiver"))
				if *update {
					if err := os.WriteFile(golden, stable, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(stable, want) {
					t.Errorf("sent\n%s\nwant\n%s", stable, want)
				}
			})
		}
	}
}

// A receiver knows a notice again, and tells revisions apart.
func TestSameIDTwice(t *testing.T) {
	t.Parallel()
	s, url := serve(t, JSON)
	n := open(t, settings(JSON, url))
	for _, m := range []*manifest.Manifest{failed(), failed(), exported()} {
		if err := n.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	id := "m-bp1fake/cn-hangzhou/golden-images/nightly/qcow2/"
	if len(s.seen) != 2 || s.seen[id+"9"] != 2 || s.seen[id+"3"] != 1 {
		t.Errorf("seen %v", s.seen)
	}
}

func TestWithoutSecret(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{JSON, DingTalk, Feishu} {
		_, url := serve(t, f)
		s := settings(f, url)
		s.Secret = ""
		notice := noticeOf(t, open(t, s).Send(t.Context(), failed()))
		if notice.Final || notice.After != repaired {
			t.Errorf("%s: %+v", f, notice)
		}
	}
}

// Whoever is too fast learns how long to wait.
func TestLimits(t *testing.T) {
	t.Parallel()
	for f, after := range map[Format]time.Duration{DingTalk: punished, WeCom: soon, Feishu: soon, Slack: 30 * time.Second} {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			s, url := serve(t, f)
			n := open(t, settings(f, url))
			for range s.limit {
				if err := n.Send(t.Context(), failed()); err != nil {
					t.Fatal(err)
				}
			}
			if notice := noticeOf(t, n.Send(t.Context(), failed())); notice.Final || notice.After != after {
				t.Errorf("%+v", notice)
			}
		})
	}
}

func TestWrongTokens(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{DingTalk, Feishu, WeCom, Slack} {
		_, url := serve(t, f)
		notice := noticeOf(t, open(t, settings(f, strings.Replace(url, token, "TOKENofanother", 1))).Send(t.Context(), failed()))
		if notice.Final || notice.After != repaired || strings.Contains(notice.Error(), "TOKENofanother") {
			t.Errorf("%s: %+v", f, notice)
		}
	}
}

func TestWants(t *testing.T) {
	t.Parallel()
	n := open(t, settings(JSON, "https://hooks.example.com/"))
	for state, want := range map[manifest.State]bool{
		manifest.Failed: true, manifest.Exported: true, manifest.Skipped: false, manifest.Cancelled: false, manifest.Queued: false,
	} {
		m := failed()
		m.State = state
		if n.Wants(m) != want {
			t.Errorf("wants %s: %t", state, !want)
		}
	}
}

// roundTripper is a transport without a network.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		silent := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, fmt.Errorf("Post %q: %w", r.URL, r.Context().Err())
		})
		n, err := New(settings(Slack, "https://hooks.slack.com"+slackPath), silent, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		notice := noticeOf(t, n.Send(t.Context(), failed()))
		if time.Since(begun) != timeout || notice.Final || notice.After != soon {
			t.Errorf("after %v: %+v", time.Since(begun), notice)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if notice := noticeOf(t, n.Send(ctx, failed())); notice.Final || !errors.Is(notice, context.DeadlineExceeded) {
			t.Errorf("%+v", notice)
		}
	})
}

// Errors of a transport may quote the address, or what was sent.
func TestBrokenConnectionShowsNoSecret(t *testing.T) {
	t.Parallel()
	broken := roundTripper(func(r *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("Post %q: sign %s: connection reset", r.URL, r.URL.RawQuery)
	})
	for f, url := range map[Format]string{DingTalk: "https://oapi.dingtalk.com" + robotPath, JSON: "https://hooks.example.com" + jsonPath} {
		n, err := New(settings(f, url), broken, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		notice := noticeOf(t, n.Send(t.Context(), failed()))
		if notice.Final || notice.After != soon || !strings.Contains(notice.Error(), "connection reset") {
			t.Errorf("%+v", notice)
		}
	}
}

func TestRedirectionsAreNotFollowed(t *testing.T) {
	t.Parallel()
	s, url := serve(t, JSON)
	other, otherURL := serve(t, JSON)
	s.check = func(*http.Request, []byte) (int, string) { return 307, "" }
	s.Config.Handler = http.RedirectHandler(otherURL, http.StatusTemporaryRedirect)
	notice := noticeOf(t, open(t, settings(JSON, url)).Send(t.Context(), failed()))
	if notice.Final || notice.After != repaired || len(other.taken) != 0 {
		t.Errorf("%+v, the other host got %d", notice, len(other.taken))
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := settings(JSON, "https://hooks.example.com"+jsonPath)
	for name, change := range map[string]func(*Settings){
		"no address":         func(s *Settings) { s.URL = "" },
		"plain http":         func(s *Settings) { s.URL = "http://hooks.example.com" + jsonPath },
		"another scheme":     func(s *Settings) { s.URL = "ftp://127.0.0.1" + jsonPath },
		"a user":             func(s *Settings) { s.URL = "https://a:" + token + "@hooks.example.com" },
		"an unknown format":  func(s *Settings) { s.Format = "teams" },
		"a bare secret":      func(s *Settings) { s.Secret = token },
		"a page without one": func(s *Settings) { s.PageURL = "ferry" },
	} {
		s := good
		change(&s)
		_, err := New(s, http.DefaultTransport, time.Now)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		assertClean(t, err.Error())
	}
}

func TestNothingShowsTheSecrets(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{JSON, DingTalk, Feishu} {
		s := settings(f, "https://oapi.dingtalk.com"+robotPath)
		n := open(t, s)
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "settings", s, "notifier", n)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "settings", s, "notifier", n)
		encoded, _ := json.Marshal(s)
		assertClean(t, log.String()+string(encoded)+fmt.Sprintf("%v %+v %#v %s", s, s, s, s))
		if !strings.Contains(log.String(), "https://oapi.dingtalk.com/") {
			t.Errorf("the log does not show the host: %s", &log)
		}
	}
}

// The example of the specification's own library.
func TestStandardWebhooksExample(t *testing.T) {
	t.Parallel()
	w, err := newWebhook(nil, jsonSecret)
	if err != nil {
		t.Fatal(err)
	}
	got := w.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}
