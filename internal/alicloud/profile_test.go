package alicloud

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadProfile(t *testing.T) {
	t.Parallel()
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write(`{"current":"default","profiles":[
		{"name":"default","mode":"AK","access_key_id":"LTAIfake","access_key_secret":"fakeSecret","region_id":"cn-hangzhou"},
		{"name":"sso","mode":"CloudSSO","access_key_secret":"fakeSecret"}]}`)
	for _, name := range []string{"", "default"} {
		if p, err := ReadProfile(good, name); err != nil || p.Name != "default" || p.Region != "cn-hangzhou" {
			t.Errorf("profile %q is %+v, %v", name, p, err)
		}
	}
	for _, c := range []struct{ path, name, want string }{
		{good, "other", "default, sso"},
		{write(`{"profiles": fakeSecret`), "default", "is not a configuration"},
		{filepath.Join(t.TempDir(), "none.json"), "default", "aliyun configure"},
	} {
		_, err := ReadProfile(c.path, c.name)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "fakeSecret") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	sso, err := ReadProfile(good, "sso")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := FromProfile(good, sso); err == nil || !strings.Contains(err.Error(), "CloudSSO") {
		t.Errorf("an unknown mode: %v", err)
	}
}
