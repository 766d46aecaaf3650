package alicloud_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// metadataCalls make every call of the adapters for ECS and STS, with every parameter that they may send.
var metadataCalls = map[string]func(context.Context, *alicloud.Session) error{
	"Export": func(ctx context.Context, s *alicloud.Session) error {
		_, err := s.ECS.Export(ctx, export.Request{
			ImageID: "m-1", Role: "AliyunECSImageExportDefaultRole", ClientToken: "token",
			Destination: manifest.Destination{Region: "cn-hangzhou", Bucket: bucket, Prefix: "golden", Format: "raw"},
		})
		return err
	},
	"Image": func(ctx context.Context, s *alicloud.Session) error {
		_, _, err := s.ECS.Image(ctx, "m-1")
		return err
	},
	"Images": func(ctx context.Context, s *alicloud.Session) error {
		_, _, err := s.ECS.Images(ctx, time.Unix(1, 0), 2)
		return err
	},
	"AccountImages": func(ctx context.Context, s *alicloud.Session) error {
		_, err := s.ECS.AccountImages(ctx)
		return err
	},
	"Named": func(ctx context.Context, s *alicloud.Session) error {
		_, _, err := s.ECS.Named(ctx, "web")
		return err
	},
	"Tasks": func(ctx context.Context, s *alicloud.Session) error {
		_, err := s.ECS.Tasks(ctx, []string{"t-1", "t-2"})
		return err
	},
	"TasksOf": func(ctx context.Context, s *alicloud.Session) error {
		_, err := s.ECS.TasksOf(ctx, "m-1", time.Unix(1, 0))
		return err
	},
	"ImportOf": func(ctx context.Context, s *alicloud.Session) error {
		_, _, err := s.ECS.ImportOf(ctx, "m-1", time.Unix(1, 0))
		return err
	},
	"Detail": func(ctx context.Context, s *alicloud.Session) error {
		_, _, err := s.ECS.Detail(ctx, "t-1")
		return err
	},
	"Cancel": func(ctx context.Context, s *alicloud.Session) error { return s.ECS.Cancel(ctx, "t-1") },
	"Import": func(ctx context.Context, s *alicloud.Session) error {
		_, err := s.ECS.Import(ctx, restore.Request{
			Name: "web", Description: "d", Architecture: "x86_64", OSType: "linux", Platform: "Aliyun", BootMode: "BIOS",
			LicenseType: "Auto", NvmeSupport: "supported", ImdsSupport: "v2", Role: "AliyunECSImageImportDefaultRole",
			ResourceGroupID: "rg-1", Tags: map[string]string{"a": "b"}, ClientToken: "token",
			Disks: []restore.Mapping{{Bucket: bucket, Key: "system.raw", Format: "RAW", SizeGiB: 40}, {Bucket: bucket, Key: "data.raw", Format: "RAW", SizeGiB: 20}},
		})
		return err
	},
	"Modify": func(ctx context.Context, s *alicloud.Session) error {
		return s.ECS.Modify(ctx, "m-1", restore.Change{Family: "web", BootMode: "UEFI"})
	},
	"Delete":         func(ctx context.Context, s *alicloud.Session) error { return s.ECS.Delete(ctx, "m-1") },
	"DeleteSnapshot": func(ctx context.Context, s *alicloud.Session) error { return s.ECS.DeleteSnapshot(ctx, "s-1") },
	"Regions": func(ctx context.Context, s *alicloud.Session) error {
		_, err := s.ECS.Regions(ctx)
		return err
	},
	"CountImages": func(ctx context.Context, s *alicloud.Session) error {
		_, err := s.ECS.CountImages(ctx)
		return err
	},
	"CountExporting": func(ctx context.Context, s *alicloud.Session) error {
		_, err := s.ECS.CountExporting(ctx)
		return err
	},
}

// accountCalls are those that take options instead of a session.
var accountCalls = map[string]func(context.Context, alicloud.Options) error{
	"WhoAmI": func(ctx context.Context, o alicloud.Options) error {
		_, err := alicloud.WhoAmI(ctx, o, "")
		return err
	},
	"Roles": func(ctx context.Context, o alicloud.Options) error {
		provider, err := alicloud.NewRoles().Provider(o, "", alicloud.Role{
			ARN: "acs:ram::1234567890123456:role/imageferry", ExternalID: "external", Session: "imageferry",
		})
		if err == nil {
			_, err = provider(ctx)
		}
		return err
	},
}

// sentOnPurpose are the parameters that the metadata does not have, each with the reason for which it is sent.
var sentOnPurpose = map[string]string{
	"ecs:ExportImage ClientToken":    "the API of 2017 knows it, and with it a repetition starts no second export",
	"ecs:ExportImage OssBucket":      "the name of OSSBucket in 2017",
	"ecs:ExportImage OssPrefix":      "the name of OSSPrefix in 2017",
	"ecs:DescribeRegions RegionId":   "the SDK adds the client's region to every request",
	"sts:GetCallerIdentity RegionId": "the SDK adds the client's region to every request",
	"sts:AssumeRole RegionId":        "the SDK adds the client's region to every request",
}

// withoutMetadata are the calls whose parameters are not in the metadata at hand.
var withoutMetadata = map[string]string{
	"ecs:DeleteSnapshot": "the typed request of the SDK has its parameters",
}

// protocol are the parameters of every request.
var protocol = []string{
	"AccessKeyId", "Action", "Format", "SecurityToken", "Signature", "SignatureMethod", "SignatureNonce", "SignatureType",
	"SignatureVersion", "Timestamp", "Version",
}

// metadata is what testdata/openapi.json says: by call and parameter "<position> <type>" and whether it is required.
type metadata struct {
	Source string
	APIs   map[string]map[string]string
}

func readMetadata(t *testing.T) metadata {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m metadata
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if m.Source == "" {
		t.Error("the metadata does not say where it is from")
	}
	return m
}

// recorder is a transport that keeps the requests and answers each with an error.
type recorder struct {
	mutex    sync.Mutex
	requests []*http.Request
	bodies   []string
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	body := ""
	if request.Body != nil {
		content, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		_ = request.Body.Close()
		body = string(content)
	}
	r.mutex.Lock()
	r.requests, r.bodies = append(r.requests, request.Clone(context.Background())), append(r.bodies, body)
	r.mutex.Unlock()
	const answer = `{"RequestId":"C8B26B44","Code":"Forbidden.RAM","Message":"recorded"}`
	return &http.Response{
		StatusCode: http.StatusForbidden, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(answer)), Request: request,
	}, nil
}

// TestParametersAreInTheMetadata makes every call and compares what goes out with what the platform publishes of its APIs.
func TestParametersAreInTheMetadata(t *testing.T) {
	t.Parallel()
	published := readMetadata(t)
	sent := record(t)
	excused := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		known, ok := published.APIs[name]
		if !ok {
			if withoutMetadata[name] == "" {
				t.Errorf("%s is called, and the metadata does not have it", name)
			}
			excused[name] = true
			continue
		}
		for _, parameters := range sent[name] {
			checkParameters(t, name, parameters, known, excused)
		}
	}
	for name := range published.APIs {
		if len(sent[name]) == 0 {
			t.Errorf("the metadata has %s, which is not called here", name)
		}
	}
	for key := range sentOnPurpose {
		if !excused[key] {
			t.Errorf("the exception for %s is not needed", key)
		}
	}
	for name := range withoutMetadata {
		if !excused[name] {
			t.Errorf("the exception for %s is not needed", name)
		}
	}
}

var (
	number  = regexp.MustCompile(`\.[1-9][0-9]*(\.|$)`)
	request = regexp.MustCompile(`\b(ecs|sts)\.Create(\w+)Request\(`)
)

// checkParameters compares one request with the metadata of its call.
func checkParameters(t *testing.T, call string, sent url.Values, known map[string]string, excused map[string]bool) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		if slices.Contains(protocol, name) {
			continue
		}
		about, ok := known[number.ReplaceAllString(name, ".N$1")]
		if structure, _, in := strings.Cut(name, "."); !ok && in {
			about, ok = known[structure+".*"]
		}
		if !ok {
			if sentOnPurpose[call+" "+name] == "" {
				t.Errorf("%s does not have the parameter %s", call, name)
			}
			excused[call+" "+name] = true
			continue
		}
		words := strings.Fields(about)
		if words[0] != "Query" {
			t.Errorf("%s takes %s in the %s, not in the query", call, name, words[0])
		}
		if !ofType(sent.Get(name), words[1]) {
			t.Errorf("%s: %s is %q, which is no %s", call, name, sent.Get(name), words[1])
		}
	}
	for name, about := range known {
		if strings.HasSuffix(about, " required") && sent.Get(name) == "" {
			t.Errorf("%s lacks the required parameter %s", call, name)
		}
	}
}

func ofType(value, kind string) bool {
	var err error
	switch kind {
	case "String", "Any":
	case "Integer":
		_, err = strconv.ParseInt(value, 10, 32)
	case "Long":
		_, err = strconv.ParseInt(value, 10, 64)
	case "Boolean":
		return value == "true" || value == "false"
	default:
		return false
	}
	return err == nil
}

// record makes the calls and returns the queries of each API. Nothing may be anywhere else than in the query.
func record(t *testing.T) map[string][]url.Values {
	t.Helper()
	transport := &recorder{}
	options := alicloud.Options{
		Region: "cn-hangzhou", AccountID: "1234567890123456", HTTP: transport,
		Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: "LTAI-TEST", AccessKeySecret: "secret", SecurityToken: "token"}),
	}
	session, err := alicloud.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range metadataCalls {
		if err := call(t.Context(), session); err == nil {
			t.Errorf("%s took no notice of an error", name)
		}
	}
	for name, call := range accountCalls {
		if err := call(t.Context(), options); err == nil {
			t.Errorf("%s took no notice of an error", name)
		}
	}
	sent := map[string][]url.Values{}
	for i, r := range transport.requests {
		query := r.URL.Query()
		product, _, _ := strings.Cut(r.URL.Host, ".")
		product, _, _ = strings.Cut(product, "-")
		name := product + ":" + query.Get("Action")
		if r.URL.Scheme != "https" || transport.bodies[i] != "" || len(query["Action"]) != 1 {
			t.Errorf("%s: %s with a body of %d bytes", name, r.URL.Scheme, len(transport.bodies[i]))
		}
		sent[name] = append(sent[name], query)
	}
	return sent
}

// TestEveryRequestIsRecorded looks into the source for requests that the test above does not make.
func TestEveryRequestIsRecorded(t *testing.T) {
	t.Parallel()
	sent := record(t)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range request.FindAllStringSubmatch(string(text), -1) {
			found++
			if name := match[1] + ":" + match[2]; len(sent[name]) == 0 {
				t.Errorf("%s makes a request for %s that no call of this test makes", file, name)
			}
		}
	}
	if found < 15 {
		t.Errorf("only %d requests were found in the source", found)
	}
}
