package alicloud

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		`{"Tag":["a","b"]}`:           "a b",
		` { "Tag" : [ "a" , "b" ] } `: "a b",
		`["a","b"]`:                   "a b",
		`{"Tag":"a"}`:                 "not a list",
		`{"Tag":{}}`:                  "not a scalar",
		`{"Tag":[]}`:                  "",
		`{"Tag":""}`:                  "",
		`{"Tag":null}`:                "",
		`{"T\"ag":["a","b"]}`:         "a b",
		`{"":["a"]}`:                  "a",
		`{"Tag":["a"],"Other":["b"]}`: "not a list",
		`{"Tag":[{}]}`:                "not a scalar",
		`{"Tag":["\u0061","é","\\"]}`: `a é \`,
		`{}`:                          "",
		`""`:                          "",
		`null`:                        "",
		`"a"`:                         "not a list",
		`7`:                           "not a list",
	} {
		var l list[text]
		err := json.Unmarshal([]byte(sent), &l)
		got := strings.Trim(fmt.Sprint([]text(l)), "[]")
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s is %q, want %q", sent, got, want)
		}
	}
}

// What is found without reading through it is what reading finds.
func FuzzList(f *testing.F) {
	f.Add(`{"Tag":["a",1,true]}`)
	f.Add(`{"T\"ag":[["a"]],"b":[]}`)
	f.Add(`{"a":["]}"]}`)
	f.Add("{\"a\":[\"\xff\"]}")
	f.Fuzz(func(t *testing.T, object string) {
		var whole map[string][]string
		if json.Unmarshal([]byte(object), &whole) != nil || len(whole) != 1 || strings.Contains(object, "null") {
			return
		}
		var l list[text]
		if err := json.Unmarshal([]byte(object), &l); err != nil {
			if strings.Count(object, ":") > 1 {
				return // the same key twice, or a string with a colon
			}
			t.Fatalf("%s: %v", object, err)
		}
		for _, want := range whole {
			var got []string
			for _, one := range l {
				got = append(got, string(one))
			}
			if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("%s is %q, want %q", object, got, want)
			}
		}
	})
}

// A page of a hundred images, as a sweep reads a thousand of them.
func BenchmarkImages(b *testing.B) {
	_, image, _ := strings.Cut(fullImage, `"m-other"},`)
	image = image[:strings.LastIndex(image, "]}}")]
	images := slices.Repeat([]string{image}, 100)
	page := []byte(fmt.Sprintf(`{"RequestId":"r","RegionId":"cn-hangzhou","TotalCount":100,"Images":{"Image":[%s]}}`, strings.Join(images, ",")))
	b.SetBytes(int64(len(page)))
	for b.Loop() {
		var answer imagesAnswer
		if err := answer.decode(page); err != nil || len(answer.Images) != 100 {
			b.Fatal(len(answer.Images), err)
		}
	}
}
