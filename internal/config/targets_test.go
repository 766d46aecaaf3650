package config

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const (
	targetRole = `"role":"acs:ram::2234567890123456:role/imageferry-target"`
	secretID   = "shop-4f1c2a9be07d"
)

func TestTargets(t *testing.T) {
	t.Parallel()
	c, err := Parse(environ("FERRY_PREFIX", "images", "FERRY_ECS_ENDPOINT", "https://ecs.internal", "FERRY_OSS_ENDPOINT", "https://oss.internal",
		"FERRY_PAGE_URL", "https://ferry.example.com", "FERRY_TARGETS", `[
			{"name":"beijing","region":"cn-beijing","bucket":"golden-beijing"},
			{"name":"shop",`+targetRole+`,"externalId":"`+secretID+`","bucket":"shop-golden","prefix":"shop","format":"vhd","exportRole":"Other",
			 "manifestBucket":"shop-manifests","manifestPrefix":"ferry/","ecsEndpoint":"https://ecs.example.com"}]`))
	if err != nil {
		t.Fatal(err)
	}
	beijing := c.For(c.Targets[0], "cn-hangzhou")
	want := c
	want.Bucket, want.ManifestBucket, want.ECSEndpoint, want.OSSEndpoint = "golden-beijing", "golden-beijing", "", "https://oss-cn-beijing.aliyuncs.com"
	want.PageURL, want.Targets = "", nil
	if !reflect.DeepEqual(beijing, want) {
		t.Errorf("got %+v\nwant %+v", beijing, want)
	}
	shop := c.For(c.Targets[1], "cn-hangzhou")
	want.Bucket, want.ManifestBucket, want.ManifestPrefix, want.Prefix, want.Format, want.ExportRole = "shop-golden", "shop-manifests", "ferry/", "shop", "vhd", "Other"
	want.ECSEndpoint, want.OSSEndpoint = "https://ecs.example.com", "https://oss.internal"
	if !reflect.DeepEqual(shop, want) {
		t.Errorf("got %+v\nwant %+v", shop, want)
	}
	if id := c.Targets[1].AccountID(); id != "2234567890123456" {
		t.Errorf("account %q", id)
	}
	if home := c.For(c.Targets[0], "cn-beijing"); home.OSSEndpoint != "https://oss.internal" {
		t.Errorf("in its own region it calls %s", home.OSSEndpoint)
	}
}

func TestTargetProblems(t *testing.T) {
	t.Parallel()
	target := func(more string) string {
		return `[{"name":"a","bucket":"bucket-a","region":"cn-beijing"` + more + `}]`
	}
	two := func(a, b string) string {
		return `[{"name":"a","bucket":"bucket-a","region":"cn-beijing"` + a + `},{"name":"b","bucket":"bucket-b","region":"cn-shanghai"` + b + `}]`
	}
	with := `,` + targetRole + `,"externalId":"` + secretID + `"`
	var many []string
	for i := range MaxTargets + 1 {
		many = append(many, fmt.Sprintf(`{"name":"t%d","bucket":"bucket-%d","region":"cn-r%d"}`, i, i, i))
	}
	for name, test := range map[string]struct {
		value string
		wrong []string // what each problem says, in order; none when the value is right
	}{
		"nothing":              {`[]`, nil},
		"another region":       {target(""), nil},
		"an account":           {target(with), nil},
		"no JSON":              {`beijing`, []string{"not a JSON array"}},
		"an object":            {`{}`, []string{"not a JSON array"}},
		"more behind":          {`[] []`, []string{"not a JSON array"}},
		"cut off":              {`[{"name":"a"`, []string{"not a JSON array"}},
		"a number":             {target(`,"prefix":7`), []string{"not a JSON array"}},
		"an unknown key":       {target(`,"buckets":"x"`), []string{`[0] has the unknown key "buckets"`}},
		"a key twice":          {target(`,"name":"b"`), []string{"[0].name is there twice"}},
		"no place":             {`[{"name":"a","bucket":"bucket-a"}]`, []string{"neither role nor region"}},
		"no external id":       {target(`,` + targetRole), []string{"[0].externalId is not 16"}},
		"a short external id":  {target(`,` + targetRole + `,"externalId":"short"`), []string{"[0].externalId is not 16"}},
		"an id without role":   {target(`,"externalId":"` + secretID + `"`), []string{"goes with a role"}},
		"a reserved name":      {strings.Replace(target(""), `"a"`, `"own"`, 1), []string{"own destination"}},
		"everything wrong":     {`[{"name":"A b","region":"x","bucket":"B","prefix":"a/b","format":"tar","exportRole":"a b","manifestBucket":"C","manifestPrefix":"x","ecsEndpoint":"http://x","ossEndpoint":"ftp://x","role":"me","externalId":"?"}]`, []string{"[0].name", "[0].bucket", "[0].role", "[0].externalId", "[0].region", "[0].prefix", "[0].exportRole", "[0].manifestBucket", "[0].format", "[0].manifestPrefix", "[0].ecsEndpoint", "[0].ossEndpoint"}},
		"both targets wrong":   {`[{"name":"a","region":"cn-beijing"},{"bucket":"bucket-b","region":"cn-shanghai"}]`, []string{"[0].bucket is missing", "[1].name"}},
		"one name":             {strings.Replace(two("", ""), `"b"`, `"a"`, 1), []string{"the name of"}},
		"one bucket":           {strings.Replace(two("", ""), "bucket-b", "bucket-a", 1), []string{"the bucket of", "the place of the manifests of"}},
		"the function's":       {strings.Replace(target(""), "bucket-a", "golden-images", 1), []string{`the bucket of "own"`, `the place of the manifests of "own"`}},
		"one region":           {strings.Replace(two("", ""), "cn-shanghai", "cn-beijing", 1), []string{"the account and region of"}},
		"two accounts":         {strings.Replace(two("", with), "cn-shanghai", "cn-beijing", 1), nil},
		"one manifest bucket":  {two(`,"manifestBucket":"manifests"`, `,"manifestBucket":"manifests"`), []string{`"b" has the place of the manifests of "a"`}},
		"prefixes in one":      {two(`,"manifestBucket":"manifests"`, `,"manifestBucket":"manifests","manifestPrefix":"b/"`), nil},
		"several in conflict":  {two(`,"manifestBucket":"golden-images"`, `,"manifestBucket":"golden-images"`), []string{`"a" has the place`, `"b" has the place`}},
		"more than can be run": {"[" + strings.Join(many, ",") + "]", []string{"at most 16"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := Parse(environ("FERRY_TARGETS", test.value))
			problems, _ := errors.AsType[Problems](err)
			if len(problems) != len(test.wrong) {
				t.Fatalf("got %v, want %d problems", err, len(test.wrong))
			}
			for i, p := range problems {
				if p.Variable != "FERRY_TARGETS" || !strings.Contains(p.Wrong, test.wrong[i]) {
					t.Errorf("problem %d is %v, want %q", i, p, test.wrong[i])
				}
			}
			if shows(c, err, secretID) {
				t.Error("the external id is shown")
			}
		})
	}
}

// shows tells whether a configuration, or what is wrong with it, shows a secret however it is printed.
func shows(c Config, err error, secret string) bool {
	var log strings.Builder
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(handler).Info("configuration", "config", c, "targets", c.Targets)
	}
	return slices.ContainsFunc([]string{log.String(), fmt.Sprintf("%v %+v %#v", c, c, c), fmt.Sprint(err)}, func(text string) bool {
		return strings.Contains(text, secret)
	})
}

func FuzzTargets(f *testing.F) {
	f.Add([]byte(`[{"name":"a","bucket":"bucket-a","region":"cn-beijing",` + targetRole + `,"externalId":"` + secretID + `"}]`))
	f.Add([]byte(`[{"name":7}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var targets Targets
		if err := targets.UnmarshalText(text); err != nil {
			return
		}
		for _, target := range targets {
			if target.Name == "" || target.Bucket == "" || target.Role == "" && target.Region == "" || (target.Role == "") != (target.AccountID() == "") {
				t.Errorf("let pass: %+v", target)
			}
		}
	})
}
