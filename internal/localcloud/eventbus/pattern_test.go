package eventbus_test

import (
	"strings"
	"testing"

	"imageferry/internal/localcloud/eventbus"
)

const sample = `{"source":"acs.ecs","type":"ecs:Image:StateChange","subject":"acs.ecs:cn-hangzhou:1:m-1",
	"data":{"currentState":"Available","size":40,"ip":"10.0.0.9","tags":["golden","base"],"note":null,"deep":{"on":true}}}`

func TestPatternMatches(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{
		`{}`:                                                           true,
		`{"source":["acs.ecs"]}`:                                       true,
		`{"source":["acs.oss"]}`:                                       false,
		`{"source":["ACS.ECS"]}`:                                       false,
		`{"source":["acs.oss","acs.ecs"]}`:                             true,
		`{"source":["acs.ecs"],"type":["other"]}`:                      false,
		`{"type":[{"suffix":":Image:StateChange"}]}`:                   true,
		`{"type":[{"suffix":":Disk:StateChange"}]}`:                    false,
		`{"type":[{"prefix":"ecs:"}]}`:                                 true,
		`{"type":[{"contains":"Image"}]}`:                              true,
		`{"type":["nothing",{"prefix":"ecs:"}]}`:                       true,
		`{"data":{"currentState":["Available"]}}`:                      true,
		`{"data":{"currentState":[{"anything-but":"Available"}]}}`:     false,
		`{"data":{"currentState":[{"anything-but":["Deleted","X"]}]}}`: true,
		`{"data":{"currentState":[{"anything-but":{"prefix":"Av"}}]}}`: false,
		`{"data":{"absent":[{"anything-but":"x"}]}}`:                   false,
		`{"data":{"absent":[{"exists":false}]}}`:                       true,
		`{"data":{"absent":[{"exists":true}]}}`:                        false,
		`{"absent":{"absent":[{"exists":false}]}}`:                     true,
		`{"absent":{"absent":["x"]}}`:                                  false,
		`{"data":{"size":[40]}}`:                                       true,
		`{"data":{"size":[40.0]}}`:                                     false,
		`{"data":{"size":["40"]}}`:                                     false,
		`{"data":{"size":[{"numeric":[">",0,"<=",40]}]}}`:              true,
		`{"data":{"size":[{"numeric":["<",40]}]}}`:                     false,
		`{"data":{"size":[{"numeric":["=",40.0]}]}}`:                   true,
		`{"data":{"currentState":[{"numeric":[">=",0]}]}}`:             false,
		`{"data":{"ip":[{"cidr":"10.0.0.0/24"}]}}`:                     true,
		`{"data":{"ip":[{"cidr":"10.0.1.0/24"}]}}`:                     false,
		`{"data":{"tags":["base"]}}`:                                   true,
		`{"data":{"tags":["none"]}}`:                                   false,
		`{"data":{"note":[null]}}`:                                     true,
		`{"data":{"absent":[null]}}`:                                   false,
		`{"data":{"deep":{"on":[true]}}}`:                              true,
		`{"data":["scalar"]}`:                                          false,
		`{"source":{"nested":["acs.ecs"]}}`:                            false,
		`{"data":{"deep":[{"prefix":"x"}]}}`:                           false,
	} {
		p, err := eventbus.ParsePattern([]byte(pattern))
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		if got := p.Matches([]byte(sample)); got != want {
			t.Errorf("%s: matches %v, want %v", pattern, got, want)
		}
		for _, event := range []string{"", "null", "[]", `"text"`} {
			if p.Matches([]byte(event)) {
				t.Errorf("%s selects %q, which is no object", pattern, event)
			}
		}
	}
}

func TestParsePatternRefuses(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		``:                     "decode event pattern",
		`null`:                 "not one JSON object",
		`[]`:                   "decode event pattern",
		`{} {}`:                "not one JSON object",
		`{"source":"acs.ecs"}`: "source: the value is neither a list nor an object",
		`{"source":[]}`:        "source: an empty list",
		`{"source":[["a"]]}`:   "a list within a list",
		`{"source":[{"equals-ignore-case":"a"}]}`:                       "equals-ignore-case: unknown operator",
		`{"source":[{"prefix":"a","suffix":"b"}]}`:                      "2 operators",
		`{"source":[{"prefix":1}]}`:                                     "prefix: the operand",
		`{"source":[{"exists":"yes"}]}`:                                 "exists: the operand",
		`{"source":[{"anything-but":{}}]}`:                              "prefix only",
		`{"source":[{"anything-but":[]}]}`:                              "excludes nothing",
		`{"source":[{"anything-but":[true]}]}`:                          "strings and numbers",
		`{"data":{"n":[{"numeric":["!",1]}]}}`:                          "data: n: numeric: ! 1",
		`{"data":{"n":[{"numeric":[">"]}]}}`:                            "comparisons and numbers",
		`{"data":{"n":[{"cidr":"10.0.0.0"}]}}`:                          "cidr",
		strings.Repeat(`{"a":`, 40) + `["x"]` + strings.Repeat("}", 40): "nested too deeply",
	} {
		if _, err := eventbus.ParsePattern([]byte(pattern)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error that says %q", pattern, err, want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`{"data":{"n":[{"numeric":[">",1]}]},"type":[{"anything-but":{"prefix":"x"}}]}`, sample)
	f.Add(`{"a":[null,1,true,{"exists":false}]}`, `{"a":[]}`)
	f.Fuzz(func(_ *testing.T, pattern, event string) {
		if p, err := eventbus.ParsePattern([]byte(pattern)); err == nil {
			p.Matches([]byte(event))
		}
	})
}
