package main

import (
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestControl answers on its own name only: a page in a browser that has another name for loopback learns no keys.
func TestControl(t *testing.T) {
	t.Parallel()
	c, err := listenControl(func(url string) readyLine {
		return readyLine{Ready: true, ControlURL: url, ECSEndpoint: "example.com", STSEndpoint: "127.0.0.1:1", OSSEndpoint: "http://127.0.0.1:1", Bucket: testBucket,
			ManifestBucket: testBucket, ManifestPrefix: "imageferry/", Region: "cn-hangzhou", AccessKeyID: "LTAIfake", AccessKeySecret: "fakeSecret"}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, r := range []struct {
		method, host, path string
		status             int
	}{
		{http.MethodGet, "", "/", http.StatusOK}, {http.MethodGet, "evil.example", "/", http.StatusNotFound},
		{http.MethodGet, "", "/other", http.StatusNotFound}, {http.MethodPost, "", "/", http.StatusNotFound},
	} {
		request, err := http.NewRequestWithContext(t.Context(), r.method, c.url+r.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.host != "" {
			request.Host = r.host
		}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != r.status {
			t.Errorf("%s %s for %q: status %d", r.method, r.path, r.host, answer.StatusCode)
		}
	}
	ready, err := fetchReady(t.Context(), c.url)
	if err != nil || ready.AccessKeySecret != "fakeSecret" || ready.ControlURL != c.url {
		t.Errorf("ready %+v, %v", ready, err)
	}
	// What a control says cannot lead off this machine.
	var out, errs buffer
	if code := testApp(&out, &errs).run(t.Context(), []string{"list", "--local", c.url}); code == exitOK || strings.Contains(errs.String(), "fakeSecret") {
		t.Errorf("exit status %d, %s", code, errs.String())
	}
}
