package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"imageferry/internal/manifest"
)

func environ(pairs ...string) map[string]string {
	m := map[string]string{"FERRY_BUCKET": "golden-images", "PATH": "/bin"}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

func TestParseDefaults(t *testing.T) {
	t.Parallel()
	got, err := Parse(environ("FERRY_PREFIX", "", "FERRY_FORMAT", "  "))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Bucket:         "golden-images",
		Format:         "raw",
		ExportRole:     "AliyunECSImageExportDefaultRole",
		ManifestBucket: "golden-images",
		ManifestPrefix: "imageferry/",
		SweepMaxAge:    168 * time.Hour,
		MaxAttempts:    3,
		RetryDelay:     time.Minute,
		ClockSkew:      10 * time.Second,
		HTTPAuth:       AuthFunction,
		NotifyFormat:   "json",
		NotifyOn:       List{"failed"},
		LogLevel:       slog.LevelInfo,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if !got.Selection().Empty() {
		t.Error("the default selection is not empty")
	}
}

func TestParseEverything(t *testing.T) {
	t.Parallel()
	got, err := FromEnviron([]string{
		"FERRY_BUCKET=a-bucket", "FERRY_PREFIX=nightly7", "FERRY_FORMAT=qcow2", "FERRY_EXPORT_ROLE=Role.1",
		"FERRY_MANIFEST_BUCKET=records", "FERRY_MANIFEST_PREFIX=audit/ferry/", "FERRY_SELECT_NAME=web-*, db-*",
		"FERRY_EXCLUDE_NAME=*-test", "FERRY_SELECT_TAGS=env=prod,golden", "FERRY_EXCLUDE_TAGS=secret",
		"FERRY_SELECT_FAMILY=base", "FERRY_EXCLUDE_FAMILY=old", "FERRY_SWEEP_MAX_AGE=24h", "FERRY_MAX_ATTEMPTS=20",
		"FERRY_RETRY_DELAY=10ms", "FERRY_CLOCK_SKEW=0s", "FERRY_ECS_ENDPOINT=http://127.0.0.1:9000",
		"FERRY_OSS_ENDPOINT=https://oss-cn-hangzhou.aliyuncs.com", "FERRY_HTTP_AUTH=token",
		"FERRY_HTTP_TOKEN=0123456789abcdef\n",
		"FERRY_NOTIFY_URL=https://oapi.dingtalk.com/robot/send?access_token=fake", "FERRY_NOTIFY_FORMAT=dingtalk",
		"FERRY_NOTIFY_SECRET=SECfake", "FERRY_NOTIFY_ON=failed,exported", "FERRY_PAGE_URL=https://ferry.example.com/", "FERRY_PAGE_ACTIONS=true", "FERRY_ALLOW_PUBLIC_READ=true", "FERRY_LOG_LEVEL=debug", "NOVALUE",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Bucket: "a-bucket", Prefix: "nightly7", Format: "qcow2", ExportRole: "Role.1",
		ManifestBucket: "records", ManifestPrefix: "audit/ferry/",
		SelectName: List{"web-*", "db-*"}, ExcludeName: List{"*-test"},
		SelectTags: List{"env=prod", "golden"}, ExcludeTags: List{"secret"},
		SelectFamily: List{"base"}, ExcludeFamily: List{"old"},
		SweepMaxAge: 24 * time.Hour, MaxAttempts: 20, RetryDelay: 10 * time.Millisecond, ClockSkew: 0,
		ECSEndpoint: "http://127.0.0.1:9000", OSSEndpoint: "https://oss-cn-hangzhou.aliyuncs.com",
		HTTPAuth: AuthToken, HTTPToken: "0123456789abcdef",
		NotifyURL: "https://oapi.dingtalk.com/robot/send?access_token=fake", NotifyFormat: "dingtalk", NotifySecret: "SECfake",
		NotifyOn: List{"failed", "exported"}, PageURL: "https://ferry.example.com/", PageActions: true, AllowPublicRead: true, LogLevel: slog.LevelDebug,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v\nwant %#v", got, want)
	}
}

func TestParseProblems(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, value, wrong string }{
		{"FERRY_BUCKET", "", "missing"},
		{"FERRY_BUCKET", "ab", "ab"},
		{"FERRY_BUCKET", "-abc", "-abc"},
		{"FERRY_BUCKET", "Upper", "Upper"},
		{"FERRY_BUCKET", strings.Repeat("a", 64), "aaa"},
		{"FERRY_PREFIX", "with/slash", "with/slash"},
		{"FERRY_PREFIX", strings.Repeat("a", 31), "aaa"},
		{"FERRY_FORMAT", "RAW", "RAW"},
		{"FERRY_EXPORT_ROLE", "a role", "a role"},
		{"FERRY_MANIFEST_BUCKET", "no_underscore", "no_underscore"},
		{"FERRY_MANIFEST_PREFIX", "/abs/", "begins"},
		{"FERRY_MANIFEST_PREFIX", "noslash", "end"},
		{"FERRY_MANIFEST_PREFIX", "a/../b/", ".."},
		{"FERRY_MANIFEST_PREFIX", "a//b/", "fit"},
		{"FERRY_MANIFEST_PREFIX", "a*/", "fit"},
		{"FERRY_MANIFEST_PREFIX", strings.Repeat("a", 100) + "/", "many"},
		{"FERRY_SELECT_NAME", "web-[", "web-["},
		{"FERRY_SELECT_NAME", ",", "understood"},
		{"FERRY_EXCLUDE_NAME", "a,[b", "[b"},
		{"FERRY_SELECT_TAGS", "=prod", "key"},
		{"FERRY_EXCLUDE_TAGS", "a,=", "key"},
		{"FERRY_SWEEP_MAX_AGE", "7d", "7d"},
		{"FERRY_SWEEP_MAX_AGE", "-1h", "range"},
		{"FERRY_MAX_ATTEMPTS", "many", "many"},
		{"FERRY_MAX_ATTEMPTS", "0", "range"},
		{"FERRY_MAX_ATTEMPTS", "21", "range"},
		{"FERRY_RETRY_DELAY", "1ms", "range"},
		{"FERRY_CLOCK_SKEW", "-1s", "range"},
		{"FERRY_CLOCK_SKEW", "6m", "range"},
		{"FERRY_ECS_ENDPOINT", "http://ecs.aliyuncs.com", "plain http"},
		{"FERRY_OSS_ENDPOINT", "http://10.0.0.1:80", "plain http"},
		{"FERRY_OSS_ENDPOINT", "https://oss.example/bucket", "more than"},
		{"FERRY_OSS_ENDPOINT", "ftp://localhost", "scheme"},
		{"FERRY_HTTP_AUTH", "basic", "basic"},
		{"FERRY_HTTP_TOKEN", "0123456789abcdef", "protects nothing"},
		{"FERRY_NOTIFY_URL", "http://hooks.example.com/a", "plain http"},
		{"FERRY_NOTIFY_URL", "https://user:password@hooks.example.com/a", "user"},
		{"FERRY_NOTIFY_URL", "hooks.example.com/a", "not a URL"},
		{"FERRY_NOTIFY_URL", "https://hooks.example.com/a#b", "fragment"},
		{"FERRY_NOTIFY_FORMAT", "teams", "teams"},
		{"FERRY_NOTIFY_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is not"},
		{"FERRY_NOTIFY_ON", "failed,queued", "queued"},
		{"FERRY_NOTIFY_ON", ",", "understood"},
		{"FERRY_PAGE_URL", "http://ferry.example.com", "plain http"},
		{"FERRY_PAGE_URL", "https://ferry.example.com/?a=b", "query"},
		{"FERRY_PAGE_ACTIONS", "yes please", "yes please"},
		{"FERRY_PAGE_ACTIONS", "true", "no secret"},
		{"FERRY_ALLOW_PUBLIC_READ", "maybe", "maybe"},
		{"FERRY_LOG_LEVEL", "loud", "loud"},
		{"FERRY_LOG_LEVEL", "info+1", "levels"},
		{"FERRY_BUKET", "x", "not known"},
		{"DEBUG", "http,sdk", "credentials"},
	}
	for _, test := range tests {
		t.Run(test.name+"="+test.value, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(environ(test.name, test.value))
			problems, ok := errors.AsType[Problems](err)
			if !ok || len(problems) != 1 {
				t.Fatalf("got %v, want one problem", err)
			}
			if p := problems[0]; p.Variable != test.name || !strings.Contains(p.Wrong, test.wrong) || p.Allowed == "" {
				t.Errorf("got %+v, want %s … %s", p, test.name, test.wrong)
			}
		})
	}
}

func TestParseReportsAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Parse(map[string]string{
		"FERRY_FORMAT": "tar", "FERRY_MAX_ATTEMPTS": "x", "FERRY_HTTP_AUTH": "token", "FERRY_SELECT_NAMES": "a",
	})
	var names []string
	problems, _ := errors.AsType[Problems](err)
	for _, p := range problems {
		names = append(names, p.Variable)
	}
	want := []string{"FERRY_BUCKET", "FERRY_FORMAT", "FERRY_HTTP_TOKEN", "FERRY_MAX_ATTEMPTS", "FERRY_SELECT_NAMES"}
	if !reflect.DeepEqual(names, want) {
		t.Fatalf("got %v, want %v", names, want)
	}
	for _, part := range append(want, "FERRY_SELECT_NAME is the nearest", "raw, vhd, qcow2", "1 to 20") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
}

func TestParseNotifyProblems(t *testing.T) {
	t.Parallel()
	const slack = "https://hooks.slack.com/services/T0/B0/fake"
	tests := []struct{ url, format, secret, variable, wrong string }{
		{slack, "slack", "secret", "FERRY_NOTIFY_SECRET", "knows no signature"},
		{slack, "json", "", "FERRY_NOTIFY_FORMAT", "slack"},
		{"https://hooks.example.com", "json", "secret", "FERRY_NOTIFY_SECRET", "whsec_"},
		{"https://hooks.example.com", "json", "whsec_%", "FERRY_NOTIFY_SECRET", "Base64"},
		{"https://hooks.example.com", "json", "whsec_c2hvcnQ=", "FERRY_NOTIFY_SECRET", "5 bytes"},
		{"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=fake", "wecom", "secret", "FERRY_NOTIFY_SECRET", "knows no signature"},
	}
	for _, test := range tests {
		_, err := Parse(environ("FERRY_NOTIFY_URL", test.url, "FERRY_NOTIFY_FORMAT", test.format, "FERRY_NOTIFY_SECRET", test.secret))
		problems, _ := errors.AsType[Problems](err)
		if len(problems) != 1 || problems[0].Variable != test.variable || !strings.Contains(problems[0].Wrong, test.wrong) {
			t.Errorf("%+v: got %v", test, err)
		}
	}
}

func TestNotify(t *testing.T) {
	t.Parallel()
	c, err := Parse(environ())
	if _, on := c.Notify(); on || err != nil {
		t.Errorf("notifications are on by default (%v)", err)
	}
	c, err = Parse(environ("FERRY_NOTIFY_URL", "https://hooks.example.com/a", "FERRY_NOTIFY_ON", "failed,skipped"))
	s, on := c.Notify()
	if err != nil || !on || !slices.Equal(s.On, []manifest.State{manifest.Failed, manifest.Skipped}) || s.ManifestBucket != "golden-images" {
		t.Errorf("got %v, %t (%v)", s, on, err)
	}
}

func TestTokenIsNeverShown(t *testing.T) {
	t.Parallel()
	const token = "tok-HIDDEN-HIDDEN-HIDDEN"
	c, err := Parse(environ("FERRY_HTTP_AUTH", "token", "FERRY_HTTP_TOKEN", token, "FERRY_NOTIFY_FORMAT", "feishu",
		"FERRY_NOTIFY_URL", "https://open.feishu.cn/open-apis/bot/v2/hook/HIDDEN", "FERRY_NOTIFY_SECRET", "HIDDEN"))
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "config", c)
	encoded, _ := json.Marshal(c)
	_, short := Parse(environ("FERRY_HTTP_AUTH", "token", "FERRY_HTTP_TOKEN", "HIDDEN"))
	_, unused := Parse(environ("FERRY_HTTP_TOKEN", token))
	_, badURL := Parse(environ("FERRY_NOTIFY_URL", "ftp://HIDDEN:HIDDEN@host/HIDDEN", "FERRY_NOTIFY_SECRET", "whsec_HIDDEN"))
	settings, _ := c.Notify()
	for _, shown := range []string{
		log.String(), string(encoded), fmt.Sprintf("%v %+v %#v %s", c, c, c, c.HTTPToken), short.Error(), unused.Error(),
		badURL.Error(), fmt.Sprintf("%v %+v %#v", settings, settings, settings),
	} {
		if strings.Contains(shown, "HIDDEN") {
			t.Errorf("shows the token: %s", shown)
		}
	}
	if !strings.Contains(log.String(), `"FERRY_NOTIFY_URL":"https://open.feishu.cn/`) {
		t.Errorf("the log does not show where notices go: %s", log.String())
	}
	for _, v := range Variables() {
		if !strings.Contains(log.String(), v.Name) {
			t.Errorf("the log lacks %s: %s", v.Name, log.String())
		}
	}
}

func TestVariablesAreDocumented(t *testing.T) {
	t.Parallel()
	for _, v := range Variables() {
		if !strings.HasPrefix(v.Name, "FERRY_") || v.Allowed == "" {
			t.Errorf("field %s lacks a tag: %+v", v.field, v)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("FERRY_SELECT_NAME", "a-*,[", "FERRY_CLOCK_SKEW", "1h")
	f.Add("FERRY_OSS_ENDPOINT", "http://[::1]:80", "FERRY_MANIFEST_PREFIX", "a/..")
	f.Add("FERRY_", "", "FERRY_HTTP_TOKEN", "\x00\xff")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		given := environ(name1, value1, name2, value2)
		before := maps.Clone(given)
		c, err := Parse(given)
		if !maps.Equal(given, before) {
			t.Fatal("Parse has changed its argument")
		}
		if err == nil && c.Validate() != nil {
			t.Fatalf("Parse accepts what Validate does not: %v", c.Validate())
		}
		if err == nil {
			c.Selection().Wants(value1, value2, map[string]string{value1: value2})
			return
		}
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) == 0 {
			t.Fatalf("the error is not Problems: %v", err)
		}
	})
}
