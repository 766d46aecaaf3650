package alicloud_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/config"
	"imageferry/internal/export"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/manifest"
)

// documented is ExportImage as one edition of the API reference has it, row by row.
type documented struct {
	Source     string
	Parameters []struct {
		Name, Type string
		Required   bool
	}
	Response, Formats []string
	Errors            []documentedError
}

type documentedError struct {
	Status        int
	Code, Message string // %s in a message stands for anything
}

func readDocumented(t *testing.T) map[string]documented {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "exportimage.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]documented
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for name, d := range all {
		if d.Source == "" {
			t.Errorf("%s has no source", name)
		}
	}
	return all
}

// A wireAnswer is what came over the wire.
type wireAnswer struct {
	status      int
	contentType string
	body        []byte
	root        string // of XML
	fields      map[string]string
}

// ask calls ExportImage without an SDK, in a format.
func (e embedded) ask(t *testing.T, format string, params map[string]string) wireAnswer {
	t.Helper()
	query := url.Values{"Version": {"2014-05-26"}, "Format": {format}}
	for name, value := range params {
		if value != "" {
			query.Set(name, value)
		}
	}
	openapi.SignRPC(http.MethodGet, query, e.Administrator, time.Now())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.Endpoints.ECS+"/?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := wireAnswer{status: response.StatusCode, contentType: response.Header.Get("Content-Type"), body: body, fields: map[string]string{}}
	if format == "JSON" {
		err = json.Unmarshal(body, &a.fields)
	} else {
		a.root, err = flatXML(body, a.fields)
	}
	if err != nil {
		t.Fatalf("the answer is no %s: %v: %s", format, err, body)
	}
	return a
}

// flatXML reads a document of one level.
func flatXML(body []byte, into map[string]string) (root string, err error) {
	var document struct {
		XMLName xml.Name
		Fields  []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	err = xml.Unmarshal(body, &document)
	for _, f := range document.Fields {
		into[f.XMLName.Local] = f.Text
	}
	return document.XMLName.Local, err
}

// order is a call that is right, in the words of a dialect.
func order(dialect, imageID string) map[string]string {
	params := map[string]string{"Action": "ExportImage", "RegionId": "cn-hangzhou", "ImageId": imageID}
	if dialect == "2017" {
		params["OssBucket"] = bucket
	} else {
		params["OSSBucket"] = bucket
	}
	return params
}

func (e embedded) addImage(change func(*ecsd.Image)) string {
	image := ecsd.Image{Name: "golden", Disks: []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 40}}}
	if change != nil {
		change(&image)
	}
	return e.Cloud.ECS.AddImage(image)
}

// TestDocumentedResponses: each field of the answer in each format, and the adapter takes the task from it.
func TestDocumentedResponses(t *testing.T) {
	t.Parallel()
	rows := 0
	for dialect, d := range readDocumented(t) {
		for _, format := range d.Formats {
			rows += 1 + len(d.Response)
			t.Run(dialect+"/"+format, func(t *testing.T) {
				t.Parallel()
				e := start(t, localcloud.Options{SeedDialect: dialect == "2017", Speed: 1})
				a := e.ask(t, format, order(dialect, e.addImage(nil)))
				if a.status != http.StatusOK || len(a.fields) != len(d.Response) || format == "XML" && a.root != "ExportImageResponse" {
					t.Errorf("the answer is %d %s", a.status, a.body)
				}
				for _, name := range d.Response {
					if a.fields[name] == "" {
						t.Errorf("the answer has no %s: %s", name, a.body)
					}
				}
				task := a.fields["TaskId"] + a.fields["ExportTaskId"]
				accepted, err := overlaid(t, e, a).ECS.Export(t.Context(), exportRequest(e, "m-1"))
				if err != nil || accepted.TaskID != task || accepted.RequestID != a.fields["RequestId"] {
					t.Errorf("the adapter reads %+v: %v", accepted, err)
				}
			})
		}
	}
	if rows != 16 {
		t.Errorf("%d rows of responses, want 16", rows)
	}
}

func exportRequest(e embedded, imageID string) export.Request {
	return export.Request{
		ImageID: imageID, Role: localcloud.ExportRole, ClientToken: "token",
		Destination: manifest.Destination{Region: e.Region, Bucket: bucket, Format: "raw"},
	}
}

// overlay answers ExportImage itself.
type overlay struct {
	http.RoundTripper
	answer wireAnswer
}

func (o overlay) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("Action") != "ExportImage" {
		return o.RoundTripper.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: o.answer.status, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {o.answer.contentType}}, Body: io.NopCloser(strings.NewReader(string(o.answer.body))),
	}, nil
}

// overlaid is a session with the cloud in which ExportImage has a given answer, byte for byte.
func overlaid(t *testing.T, e embedded, a wireAnswer) *alicloud.Session {
	t.Helper()
	transport := alicloud.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	s, err := alicloud.Open(alicloud.Options{
		Region: e.Region, AccountID: e.Directory.ID(),
		Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: e.Administrator.AccessKeyID, AccessKeySecret: e.Administrator.Secret}),
		ECSEndpoint: "http://" + e.Endpoints.ECS, OSSEndpoint: "http://" + e.Endpoints.OSS,
		HTTP:    overlay{transport, a},
		Backoff: alicloud.Backoff{First: time.Millisecond, Max: time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDocumentedErrors: the embedded cloud answers each error in each format, and from those very bytes the domain gets the
// right reason.
func TestDocumentedErrors(t *testing.T) {
	t.Parallel()
	rows, used := 0, map[string]bool{}
	for dialect, d := range readDocumented(t) {
		for _, row := range d.Errors {
			rows++
			key := fmt.Sprintf("%s %d %s", dialect, row.Status, row.Code)
			s, ok := scenarios[key+" "+row.Message]
			if ok {
				key += " " + row.Message
			} else if s, ok = scenarios[key]; !ok {
				t.Errorf("no scenario brings about %s %q", key, row.Message)
				continue
			}
			used[key] = true
			for _, format := range d.Formats {
				t.Run(fmt.Sprintf("%s/%s/%s", key, row.Message, format), func(t *testing.T) {
					t.Parallel()
					a := s.bringAbout(t, dialect, format, row)
					checkRefusal(t, a, format, row)
					checkReason(t, a, s.reason)
				})
			}
		}
	}
	for key := range scenarios {
		if !used[key] {
			t.Errorf("the scenario %q is of no documented error", key)
		}
	}
	if rows != 44 {
		t.Errorf("%d documented errors, want 13 of 2017 and 31 of today", rows)
	}
}

func checkRefusal(t *testing.T, a wireAnswer, format string, row documentedError) {
	t.Helper()
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(row.Message), "%s", ".+") + "$"
	if a.status != row.Status || a.fields["Code"] != row.Code || !regexp.MustCompile(pattern).MatchString(a.fields["Message"]) {
		t.Errorf("the answer is %d %s, want %d %s %q", a.status, a.body, row.Status, row.Code, row.Message)
	}
	if a.fields["RequestId"] == "" || a.fields["HostId"] == "" || format == "XML" && a.root != "Error" {
		t.Errorf("the answer is not an error document: %s", a.body)
	}
}

// checkReason submits an export that nothing is wrong with and that ECS refuses all the same.
func checkReason(t *testing.T, a wireAnswer, want string) {
	t.Helper()
	e := start(t, localcloud.Options{Speed: 1})
	id := e.addImage(nil)
	c, err := config.Parse(map[string]string{"FERRY_BUCKET": bucket})
	if err != nil {
		t.Fatal(err)
	}
	ferry := export.New(overlaid(t, e, a).Cloud(bucket), c.Settings(e.Region, e.Directory.ID()), export.NewBucketMemory(), time.Now, discard())
	result, err := ferry.Submit(t.Context(), export.Order{ImageID: id, Explicit: true})
	if err != nil || result.Reason != want || result.Remedy == "" {
		t.Errorf("the export is %s for %q (%s): %v, want %q", result.State, result.Reason, result.Detail, err, want)
	}
}

// TestDocumentedParameters: each parameter does what the reference says, and is missed where it is required.
func TestDocumentedParameters(t *testing.T) {
	t.Parallel()
	rows := 0
	for dialect, d := range readDocumented(t) {
		for _, p := range d.Parameters {
			rows++
			t.Run(dialect+"/"+p.Name, func(t *testing.T) {
				t.Parallel()
				e := start(t, localcloud.Options{SeedDialect: dialect == "2017", Speed: 1, Region: effectRegion[p.Name]})
				params := order(dialect, e.addImage(nil))
				params["RegionId"] = e.Region
				if p.Required {
					params[p.Name] = ""
					a := e.ask(t, "JSON", params)
					code := "MissingParameter"
					if p.Name == "Action" {
						code = "MissingAction" // of the gateway, which cannot know which error list to take
					}
					if a.status != http.StatusBadRequest || a.fields["Code"] != code || !strings.Contains(a.fields["Message"], p.Name) {
						t.Errorf("without it the answer is %d %s", a.status, a.body)
					}
					return
				}
				effect, ok := effects[p.Name]
				if !ok {
					t.Fatal("nothing shows what it does")
				}
				if err := effect(t, e, params); err != nil {
					t.Error(err)
				}
			})
		}
	}
	if rows != 14 {
		t.Errorf("%d parameters, want 6 of 2017 and 8 of today", rows)
	}
}

// effectRegion is where a parameter has an effect; formats are documented for some regions only.
var effectRegion = map[string]string{"ImageFormat": "ap-southeast-1"}

// effects show what the optional parameters do.
var effects = map[string]func(*testing.T, embedded, map[string]string) error{
	"OssPrefix": func(t *testing.T, e embedded, p map[string]string) error { return prefixed(t, e, p, "OssPrefix") },
	"OSSPrefix": func(t *testing.T, e embedded, p map[string]string) error { return prefixed(t, e, p, "OSSPrefix") },
	"ClientToken": func(t *testing.T, e embedded, p map[string]string) error {
		p["ClientToken"] = strings.Repeat("t", 64)
		first, second := e.ask(t, "JSON", p), e.ask(t, "JSON", p)
		p["ClientToken"] = strings.Repeat("t", 65)
		third := e.ask(t, "JSON", p)
		if first.status != 200 || second.fields["ExportTaskId"] != first.fields["ExportTaskId"] || third.status != 400 || len(e.Cloud.ECS.Tasks()) != 1 {
			return fmt.Errorf("the answers are %s, %s and %s", first.body, second.body, third.body)
		}
		return nil
	},
	"ImageFormat": func(t *testing.T, e embedded, p map[string]string) error {
		p["ImageFormat"] = "qcow2"
		a := e.ask(t, "JSON", p)
		if tasks := e.Cloud.ECS.Tasks(); len(tasks) != 1 || tasks[0].Format != "qcow2" {
			return fmt.Errorf("the answer is %s", a.body)
		}
		return nil
	},
	"RoleName": func(t *testing.T, e embedded, p map[string]string) error {
		p["RoleName"] = "nobody"
		if a := e.ask(t, "JSON", p); a.fields["Code"] != "NoSetRoletoECSServiceAcount" {
			return fmt.Errorf("the answer is %s", a.body)
		}
		p["RoleName"] = localcloud.ExportRole
		if a := e.ask(t, "JSON", p); a.status != 200 {
			return fmt.Errorf("the answer is %s", a.body)
		}
		return nil
	},
	"DryRun": func(t *testing.T, e embedded, p map[string]string) error {
		p["DryRun"] = "true"
		if a := e.ask(t, "JSON", p); a.fields["Code"] != "DryRunOperation" || len(e.Cloud.ECS.Tasks()) != 0 {
			return fmt.Errorf("the answer is %s", a.body)
		}
		return nil
	},
}

func prefixed(t *testing.T, e embedded, p map[string]string, name string) error {
	t.Helper()
	p[name] = "A1"
	a := e.ask(t, "JSON", p)
	tasks := e.Cloud.ECS.Tasks()
	if a.status != 200 || len(tasks) != 1 || !strings.HasPrefix(tasks[0].Subtasks[0].Object, "A1_") {
		return fmt.Errorf("the answer is %s, the tasks are %+v", a.body, tasks)
	}
	p[name] = strings.Repeat("a", 31)
	if a := e.ask(t, "JSON", p); a.status != 400 {
		return errors.New("a prefix of 31 letters was taken")
	}
	return nil
}
