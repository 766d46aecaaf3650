package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"imageferry/internal/alicloud"
)

func TestDoctorExitStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		want int
		out  string
	}{
		{"a problem", []string{"doctor", "--region", "cn-hangzhou"}, exitUnmet, "FERRY_BUCKET is missing"},
		{"a problem in JSON", []string{"doctor", "--json"}, exitUnmet, `"check": "configuration"`},
		{"nothing can be checked", []string{"doctor", "--local", "http://127.0.0.1:1"}, exitError, ""},
		{"wrong arguments", []string{"doctor", "--deeper"}, exitUsage, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			a := &app{in: strings.NewReader(""), out: &out, err: &errs, now: time.Now, zone: time.UTC, transport: alicloud.NewTransport()}
			if code := a.run(t.Context(), c.args); code != c.want {
				t.Errorf("exit status %d, want %d: %s", code, c.want, errs.String())
			}
			if !strings.Contains(out.String(), c.out) {
				t.Errorf("output %q", out.String())
			}
		})
	}
}
