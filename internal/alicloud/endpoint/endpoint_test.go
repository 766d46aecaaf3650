package endpoint

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // value → URL, or nothing when refused
		"https://oss-cn-hangzhou-internal.aliyuncs.com": "https://oss-cn-hangzhou-internal.aliyuncs.com",
		"ecs.cn-beijing.aliyuncs.com":                   "https://ecs.cn-beijing.aliyuncs.com",
		"https://host:8443/":                            "https://host:8443",
		"http://127.0.0.1:9000":                         "http://127.0.0.1:9000",
		"http://127.1.2.3":                              "http://127.1.2.3",
		"http://[::1]:9000":                             "http://[::1]:9000",
		"http://[::ffff:127.0.0.1]:9000":                "http://[::ffff:127.0.0.1]:9000",
		"http://localhost:9000":                         "http://localhost:9000",
		"http://LOCALHOST":                              "http://LOCALHOST",
		"http://oss.aliyuncs.com":                       "",
		"http://10.0.0.1":                               "",
		"http://127.0.0.1.example.com":                  "",
		"http://localhost.example.com":                  "",
		"http://0.0.0.0:80":                             "",
		"https://user:pw@host":                          "",
		"https://host/path":                             "",
		"https://host?q":                                "",
		"https://host?":                                 "",
		"https://host#f":                                "",
		"ftp://localhost":                               "",
		"https://":                                      "",
		"https://ho st":                                 "",
		"https://host:port":                             "",
		"https://h*st":                                  "",
		"":                                              "",
	}
	for value, want := range tests {
		e, err := Parse(value)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q is accepted as %v", value, e)
		case want == "" && strings.Contains(err.Error(), "pw"):
			t.Errorf("%q: the error shows the password: %v", value, err)
		case want != "" && (err != nil || e.String() != want):
			t.Errorf("%q: got %v, %v", value, e, err)
		}
	}
}
