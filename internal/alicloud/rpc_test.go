package alicloud_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"imageferry/internal/alicloud"
)

// A listener notes where requests go, and lets none of them through.
type listener struct{ hosts []string }

func (l *listener) RoundTrip(r *http.Request) (*http.Response, error) {
	l.hosts = append(l.hosts, r.URL.Scheme+"://"+r.URL.Host)
	return nil, errors.New("no connection")
}

// TestEndpointsOfRegions: the SDK's map knows the hosts that follow no rule, and there is a rule for all others.
func TestEndpointsOfRegions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ region, ecs, sts string }{
		{"cn-hangzhou", "https://ecs-cn-hangzhou.aliyuncs.com", "https://sts.cn-hangzhou.aliyuncs.com"},
		{"cn-wulanchabu", "https://ecs.cn-wulanchabu.aliyuncs.com", "https://sts.cn-wulanchabu.aliyuncs.com"},
		{"cn-somewhere-new", "https://ecs.cn-somewhere-new.aliyuncs.com", "https://sts.cn-somewhere-new.aliyuncs.com"},
	} {
		t.Run(c.region, func(t *testing.T) {
			t.Parallel()
			heard := &listener{}
			options := alicloud.Options{
				Region: c.region, HTTP: heard, Backoff: alicloud.Backoff{First: 1, Max: 1},
				Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: "id", AccessKeySecret: "secret"}),
			}
			session, err := alicloud.Open(options)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := session.ECS.Regions(context.Background()); err == nil {
				t.Error("ECS was reached")
			}
			if _, err := alicloud.WhoAmI(context.Background(), options, ""); err == nil {
				t.Error("STS was reached")
			}
			if len(heard.hosts) < 2 || heard.hosts[0] != c.ecs || heard.hosts[len(heard.hosts)-1] != c.sts {
				t.Errorf("called %v, want %s and %s", heard.hosts, c.ecs, c.sts)
			}
		})
	}
}

// TestOnlyRegionsAreRegions: the id becomes a part of hosts.
func TestOnlyRegionsAreRegions(t *testing.T) {
	t.Parallel()
	for region, ok := range map[string]bool{
		"cn-hangzhou": true, "ap-southeast-1": true, "cn": true, "": false, "-": false, "cn-": false, "-cn": false, "cn--b": false,
		"CN": false, "cn.evil.example": false, "cn/x": false, "cn_b": false, "cn-ä": false, "cn ": false,
	} {
		_, err := alicloud.Open(alicloud.Options{
			Region: region, HTTP: &listener{}, Credentials: alicloud.Static(alicloud.Credentials{}),
		})
		if (err == nil) != ok {
			t.Errorf("%q: %v", region, err)
		}
	}
}
