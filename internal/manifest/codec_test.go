package manifest

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	const rest = `"image":{"id":"m-1"},"destination":{"region":"r","bucket":"b","format":"raw"}`
	const lease = `"lease":{"until":"2026-11-23T11:00:00Z"}`
	const due = `"dueAt":"2026-11-23T11:00:00Z"`
	for name, c := range map[string]struct {
		data string
		want error // nil: it is a manifest
	}{
		"empty":                      {"", ErrUnreadable},
		"not JSON":                   {"<Error/>", ErrUnreadable},
		"cut":                        {`{"schema":"imageferry.manifest/v1","revi`, ErrUnreadable},
		"not an object":              {`[]`, ErrUnreadable},
		"null":                       {`null`, ErrUnreadable},
		"no schema":                  {`{"revision":1}`, ErrUnreadable},
		"newer":                      {`{"schema":"imageferry.manifest/v2"}`, ErrNewer},
		"newer, other types":         {`{"schema":"imageferry.manifest/v2","revision":"one"}`, ErrNewer},
		"wrong type":                 {`{"schema":"imageferry.manifest/v1","revision":"one"}`, ErrUnreadable},
		"no revision":                {`{"schema":"imageferry.manifest/v1","state":"exported",` + rest + `}`, ErrUnreadable},
		"unknown state":              {`{"schema":"imageferry.manifest/v1","revision":1,"state":"lost",` + rest + `}`, ErrUnreadable},
		"no image":                   {`{"schema":"imageferry.manifest/v1","revision":1,"state":"exported"}`, ErrUnreadable},
		"no destination":             {`{"schema":"imageferry.manifest/v1","revision":1,"state":"exported","image":{"id":"m-1"}}`, ErrUnreadable},
		"submitting without lease":   {`{"schema":"imageferry.manifest/v1","revision":1,"state":"submitting",` + due + `,` + rest + `}`, ErrUnreadable},
		"submitting without dueAt":   {`{"schema":"imageferry.manifest/v1","revision":1,"state":"submitting",` + lease + `,` + rest + `}`, ErrUnreadable},
		"queued without dueAt":       {`{"schema":"imageferry.manifest/v1","revision":1,"state":"queued",` + rest + `}`, ErrUnreadable},
		"exporting without task":     {`{"schema":"imageferry.manifest/v1","revision":1,"state":"exporting",` + rest + `}`, ErrUnreadable},
		"exporting without task id":  {`{"schema":"imageferry.manifest/v1","revision":1,"state":"exporting","task":{},` + rest + `}`, ErrUnreadable},
		"not UTF-8":                  {`{"schema":"imageferry.manifest/v1","revision":1,"state":"exported","detail":"` + "\xff" + `",` + rest + `}`, ErrUnreadable},
		"at work, never created":     {`{"schema":"imageferry.manifest/v1","revision":1,"state":"queued",` + due + `,` + rest + `}`, ErrUnreadable},
		"open attempt without start": {`{"schema":"imageferry.manifest/v1","revision":1,"state":"exported","attempts":[null],` + rest + `}`, ErrUnreadable},
		"with a field of the future": {`{"schema":"imageferry.manifest/v1","revision":1,"state":"exported","colour":"red",` + rest + `}`, nil},
	} {
		m, err := Decode([]byte(c.data))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: error is %v, want %v", name, err, c.want)
		}
		if (m == nil) != (c.want != nil) {
			t.Errorf("%s: manifest is %v", name, m)
		}
	}
}

// What comes from outside is quoted within bounds.
func TestDecodeBoundsItsErrors(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"schema":"` + strings.Repeat("x", 10000) + `"}`,
		`{"schema":"imageferry.manifest/v1","revision":1,"state":"` + strings.Repeat("x", 10000) + `"}`,
	} {
		if _, err := Decode([]byte(data)); err == nil || len(err.Error()) > 300 {
			t.Errorf("the error of %.60s… is too long or missing: %.400v", data, err)
		}
	}
}

func TestCloneIsIndependent(t *testing.T) {
	t.Parallel()
	m := &Manifest{Attempts: []Attempt{{Number: 1}}, Objects: []Object{{Key: "a"}}, Task: &Task{ID: "t-1"}}
	c := m.Clone()
	c.Attempts[0].Number, c.Objects[0].Key, c.Task.ID = 2, "b", "t-2"
	if m.Attempts[0].Number != 1 || m.Objects[0].Key != "a" || m.Task.ID != "t-1" {
		t.Errorf("the original changed to %+v", m)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"schema":"imageferry.manifest/v1","revision":1,"state":"exported","image":{"id":"m-1"},"destination":{"region":"r","bucket":"b","format":"raw"}}`))
	f.Add([]byte(`{"schema":"imageferry.manifest/v1","revision":2,"state":"queued","dueAt":"2026-11-23T11:00:00+08:00","image":{"id":"m-1"},"destination":{"region":"r","bucket":"b","format":"raw"}}`))
	f.Add([]byte(`{"schema":"imageferry.manifest/v2"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrUnreadable) && !errors.Is(err, ErrNewer) {
				t.Errorf("error is %v", err)
			}
			return
		}
		MarkerOf(m) // the protocol can go on from whatever is decoded
		encoded, err := Encode(m)
		if err != nil {
			t.Fatalf("decoded, but not encoded: %v", err)
		}
		again, err := Decode(encoded)
		if err != nil {
			t.Fatalf("encoded, but not decoded: %v\n%s", err, encoded)
		}
		twice, err := Encode(again)
		if err != nil || !reflect.DeepEqual(encoded, twice) {
			t.Errorf("a second round changes\n%s to\n%s (%v)", encoded, twice, err)
		}
	})
}
