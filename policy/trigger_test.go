package policy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/netresearch/go-cron"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"imageferry/internal/localcloud/eventbus"
)

// everyMinutes matches the form of @every that the platform documents.
var everyMinutes = regexp.MustCompile(`^@every [1-9][0-9]*m$`)

// checkCron is the format of cronExpression: six fields, seconds first, in UTC or the zone that CRON_TZ= names, or @every.
func checkCron(value any) error {
	text, ok := value.(string)
	if !ok || everyMinutes.MatchString(text) {
		return nil
	}
	if strings.HasPrefix(text, "@") || strings.HasPrefix(text, "TZ=") {
		return errors.New("a form that the platform does not document")
	}
	_, err := cron.MustNewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom).Parse(text)
	return err
}

// checkPattern is the format of eventRuleFilterPattern.
func checkPattern(value any) error {
	text, ok := value.(string)
	if !ok {
		return nil
	}
	_, err := eventbus.ParsePattern([]byte(text))
	return err
}

// triggerSchema is the stricter schema of triggers.
func triggerSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.RegisterFormat(&jsonschema.Format{Name: "fc-cron", Validate: checkCron})
	c.RegisterFormat(&jsonschema.Format{Name: "event-pattern", Validate: checkPattern})
	c.AssertFormat()
	return compile(t, c, filepath.Join("testdata", "trigger.schema.json"))
}

func compile(t *testing.T, c *jsonschema.Compiler, path string) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestTriggersAreAsDocumented checks the triggers of s.yaml. Those of template.yml are the same, as another test sees to.
func TestTriggersAreAsDocumented(t *testing.T) {
	t.Parallel()
	schema := triggerSchema(t)
	props, _ := specProps(t)
	names := map[string]bool{}
	for _, trigger := range props["triggers"].([]any) {
		name := fmt.Sprint(trigger.(object)["triggerName"])
		if err := schema.Validate(trigger); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if names[name] {
			t.Errorf("two triggers are named %s", name)
		}
		names[name] = true
	}
	if len(names) != 5 {
		t.Errorf("%d triggers", len(names))
	}
}

// TestTriggerSchemaRefuses holds the schema against what goes wrong in practice, in a trigger of each kind that is right.
func TestTriggerSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema := triggerSchema(t)
	timer := `{"triggerName":"follow","triggerType":"timer","triggerConfig":{"cronExpression":"0 17 * * * *","enable":true,"payload":"x"}}`
	web := `{"triggerName":"http","triggerType":"http","triggerConfig":{"authType":"function","methods":["GET","POST"]}}`
	event := `{"triggerName":"image","triggerType":"eventbridge","triggerConfig":{"triggerEnable":true,"asyncInvocationType":true,` +
		`"eventRuleFilterPattern":"{\"source\":[\"acs.ecs\"]}","eventSourceConfig":{"eventSourceType":"Default"}}}`
	store := `{"triggerName":"objects","triggerType":"oss","sourceArn":"acs:oss:cn-hangzhou:1234567890123456:golden-images",` +
		`"invocationRole":"acs:ram::1234567890123456:role/oss-trigger",` +
		`"triggerConfig":{"events":["oss:ObjectCreated:PutObject","oss:ObjectCreated:*"],"filter":{"key":{"prefix":"images_","suffix":""}}}}`
	for name, c := range map[string]struct{ document, old, new string }{
		"timer":                   {document: timer},
		"timer every":             {document: strings.Replace(timer, "0 17 * * * *", "@every 5m", 1)},
		"timer in a zone":         {document: strings.Replace(timer, "0 17", "CRON_TZ=Asia/Shanghai 0 17", 1)},
		"http":                    {document: web},
		"http jwt":                {document: strings.Replace(web, `"function"`, `"jwt","authConfig":{"jwks":{"keys":[{"kty":"RSA"}]}}`, 1)},
		"eventbridge":             {document: event},
		"oss":                     {document: store},
		"no name":                 {timer, `"triggerName":"follow",`, ``},
		"name with a space":       {timer, `"follow"`, `"fol low"`},
		"unknown kind":            {timer, `"timer"`, `"cron"`},
		"unknown key beside":      {timer, `"triggerType"`, `"enabled":true,"triggerType"`},
		"unknown key of timers":   {timer, `"enable":true`, `"enable":true,"enabled":true`},
		"key of another kind":     {timer, `"enable":true`, `"triggerEnable":true`},
		"five fields":             {timer, "0 17 * * * *", "17 * * * *"},
		"minute 60":               {timer, "0 17", "0 60"},
		"every second":            {timer, "0 17 * * * *", "@every 5s"},
		"every fraction":          {timer, "0 17 * * * *", "@every 1.5m"},
		"descriptor":              {timer, "0 17 * * * *", "@hourly"},
		"foreign zone":            {timer, "0 17", "TZ=Asia/Shanghai 0 17"},
		"unknown zone":            {timer, "0 17", "CRON_TZ=Asia/Nowhere 0 17"},
		"enable as text":          {timer, `"enable":true`, `"enable":"true"`},
		"payload as object":       {timer, `"payload":"x"`, `"payload":{"action":"follow"}`},
		"timer with a source":     {timer, `"triggerType"`, `"sourceArn":"acs:oss:cn-hangzhou:1234567890123456:golden-images","triggerType"`},
		"unknown authentication":  {web, `"function"`, `"token"`},
		"no method":               {web, `["GET","POST"]`, `[]`},
		"unknown method":          {web, `"GET"`, `"TRACE"`},
		"method twice":            {web, `"POST"`, `"GET"`},
		"methods as text":         {web, `["GET","POST"]`, `"GET"`},
		"jwt without keys":        {web, `"function"`, `"jwt"`},
		"keys without jwt":        {web, `"function"`, `"function","authConfig":{"jwks":{"keys":[{"kty":"RSA"}]}}`},
		"no key":                  {web, `"function"`, `"jwt","authConfig":{"jwks":{"keys":[]}}`},
		"pattern as object":       {event, `"{\"source\":[\"acs.ecs\"]}"`, `{"source":["acs.ecs"]}`},
		"pattern not JSON":        {event, `"{\"source\":[\"acs.ecs\"]}"`, `"source"`},
		"pattern of the wrong":    {event, `[\"acs.ecs\"]`, `\"acs.ecs\"`},
		"unknown source":          {event, `"Default"`, `"ECS"`},
		"no source":               {event, `,"eventSourceConfig":{"eventSourceType":"Default"}`, ``},
		"asynchronous as text":    {event, `"asyncInvocationType":true`, `"asyncInvocationType":"true"`},
		"not said asynchronous":   {event, `"asyncInvocationType":true,`, ``},
		"unknown key of events":   {event, `"triggerEnable":true`, `"triggerEnable":true,"enable":true`},
		"oss without source":      {store, `"sourceArn":"acs:oss:cn-hangzhou:1234567890123456:golden-images",`, ``},
		"oss without role":        {store, `"invocationRole":"acs:ram::1234567890123456:role/oss-trigger",`, ``},
		"oss of every object":     {store, `,"filter":{"key":{"prefix":"images_","suffix":""}}`, ``},
		"oss event misspelt":      {store, `oss:ObjectCreated:PutObject`, `oss:ObjectCreate:PutObject`},
		"oss event of the SDK":    {store, `oss:ObjectCreated:PutObject`, `ObjectCreated:PutObject`},
		"oss filter misspelt":     {store, `"prefix"`, `"prefixes"`},
		"oss unknown key":         {store, `"events"`, `"enable":true,"events"`},
		"oss source of no bucket": {store, `:golden-images"`, `:Golden_Images"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			document := c.document
			if c.old != "" {
				if document = strings.Replace(document, c.old, c.new, 1); document == c.document {
					t.Fatalf("there is no %s", c.old)
				}
			}
			var value any
			if err := json.Unmarshal([]byte(document), &value); err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); (err == nil) != (c.old == "") {
				t.Errorf("%s: %v", document, err)
			}
		})
	}
}

// TestSYAMLIsValidForServerlessDevs validates s.yaml against the JSON Schema of the component fc3, which is not a part of this
// project: FC3_SCHEMA says where it lies.
func TestSYAMLIsValidForServerlessDevs(t *testing.T) {
	t.Parallel()
	path := os.Getenv("FC3_SCHEMA")
	if path == "" {
		t.Skip("FC3_SCHEMA does not name the JSON Schema of the component fc3 (src/schema.json in its source)")
	}
	schema := compile(t, jsonschema.NewCompiler(), path)
	props, _ := specProps(t)
	if err := schema.Validate(props); err != nil {
		t.Error(err)
	}
	// The schema lets keys pass that it does not know, so a misspelt one is looked for here.
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Properties object }
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for name := range props {
		if document.Properties[name] == nil {
			t.Errorf("%s is not a property that fc3 knows", name)
		}
	}
	// The check is worth something only if it can fail.
	props["memorySize"] = "much"
	if schema.Validate(props) == nil {
		t.Error("a memory size in words is valid")
	}
}
