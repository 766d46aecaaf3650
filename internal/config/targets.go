package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"imageferry/internal/alicloud/endpoint"
)

// A Target is another region, or another account, whose images the function exports, too. What it leaves out is as in the
// function's own configuration; see Config.For.
type Target struct {
	// Name is what events, requests and logs call it.
	Name string `json:"name"`
	// Role is the ARN of the role that the function assumes in the other account; without one it is the function's account.
	Role string `json:"role,omitempty"`
	// ExternalID is what the role's trust policy asks for. It comes with Role, and only with it.
	ExternalID Secret `json:"externalId,omitempty"`
	// Region is that of the images and the bucket; empty is the function's.
	Region string `json:"region,omitempty"`
	// Bucket is the OSS bucket that ECS writes the exported images to, in the same region and account.
	Bucket string `json:"bucket"`

	Prefix         string `json:"prefix,omitempty"`
	Format         string `json:"format,omitempty"`
	ExportRole     string `json:"exportRole,omitempty"`
	ManifestBucket string `json:"manifestBucket,omitempty"` // empty is Bucket
	ManifestPrefix string `json:"manifestPrefix,omitempty"`
	ECSEndpoint    string `json:"ecsEndpoint,omitempty"`
	OSSEndpoint    string `json:"ossEndpoint,omitempty"`
}

// Own is the name of the function's own destination among the targets.
const Own = "own"

// MaxTargets bounds the targets: all of them are worked at once.
const MaxTargets = 16

var (
	targetName = newPattern(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`, 1, 32)
	roleARN    = newPattern(`^acs:ram::([0-9]{16}):role/[A-Za-z0-9._@-]+$`, 32, 95) // a name of 1 to 64
	regionID   = newPattern(`^[a-z]{2}(-[a-z0-9]+)+$`, 1, math.MaxInt)
	externalID = newPattern(`^[A-Za-z0-9._/-]+$`, 16, 200) // narrower than what STS takes: it stands in a JSON document
)

// AccountID owns the role, and so the images; empty for the function's account.
func (t Target) AccountID() string {
	if !roleARN.MatchString(t.Role) {
		return ""
	}
	return roleARN.expression().FindStringSubmatch(t.Role)[1]
}

// For is the configuration of a target, for a function that runs in the region home. The endpoints are the function's own in
// its own region only; elsewhere OSS is called at its public endpoint, for the internal one cannot be reached.
func (c Config) For(t Target, home string) Config {
	if t.Region == "" || t.Region == home {
		t.ECSEndpoint, t.OSSEndpoint = cmp.Or(t.ECSEndpoint, c.ECSEndpoint), cmp.Or(t.OSSEndpoint, c.OSSEndpoint)
	} else {
		t.OSSEndpoint = cmp.Or(t.OSSEndpoint, "https://oss-"+t.Region+".aliyuncs.com")
	}
	c.ECSEndpoint, c.OSSEndpoint = t.ECSEndpoint, t.OSSEndpoint
	c.Bucket, c.ManifestBucket = t.Bucket, cmp.Or(t.ManifestBucket, t.Bucket)
	c.Prefix, c.Format = cmp.Or(t.Prefix, c.Prefix), cmp.Or(t.Format, c.Format)
	c.ExportRole, c.ManifestPrefix = cmp.Or(t.ExportRole, c.ExportRole), cmp.Or(t.ManifestPrefix, c.ManifestPrefix)
	c.PageURL = ""    // the page shows the function's own exports
	c.Restore = false // the function restores into its own region and account
	c.Targets = nil
	return c
}

// Targets are the value of FERRY_TARGETS.
type Targets []Target

// UnmarshalText reads a JSON array of objects of strings. Unknown and repeated keys are mistakes. The error is everything that
// is wrong with each target by itself; it never repeats the text, which holds the external ids.
func (t *Targets) UnmarshalText(text []byte) error {
	r := &targetReader{decoder: json.NewDecoder(bytes.NewReader(text))}
	if err := r.array(); err != nil {
		r.wrong("", "is not a JSON array of objects with strings")
	}
	if len(r.problems) > 0 {
		return r.problems
	}
	*t = r.targets
	for i, target := range *t {
		r.path = fmt.Sprintf("[%d]", i)
		r.check(target)
	}
	if len(*t) > MaxTargets {
		r.path = ""
		r.wrong("", fmt.Sprintf("has %d targets, at most %d are possible", len(*t), MaxTargets))
	}
	if len(r.problems) > 0 {
		return r.problems
	}
	return nil
}

// mistakes are what is wrong with FERRY_TARGETS.
type mistakes []string

func (m mistakes) Error() string { return strings.Join(m, "; ") }

// A targetReader reads one value, and collects what is wrong with it.
type targetReader struct {
	decoder  *json.Decoder
	targets  Targets
	path     string
	problems mistakes
}

func (r *targetReader) wrong(field, what string) {
	if field != "" {
		field = "." + field
	}
	r.problems = append(r.problems, strings.TrimSpace(r.path+field+" "+what))
}

func (r *targetReader) array() error {
	if err := r.delimiter('['); err != nil {
		return err
	}
	for i := 0; r.decoder.More(); i++ {
		r.path = fmt.Sprintf("[%d]", i)
		if err := r.object(); err != nil {
			return err
		}
	}
	r.path = ""
	if err := r.delimiter(']'); err != nil {
		return err
	}
	if _, err := r.decoder.Token(); err != io.EOF {
		return errShape
	}
	return nil
}

var errShape = errors.New("not of the expected shape")

func (r *targetReader) object() error {
	if err := r.delimiter('{'); err != nil {
		return err
	}
	var t Target
	fields, seen := t.fields(), map[string]bool{}
	for r.decoder.More() {
		token, err := r.decoder.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if token, err = r.decoder.Token(); err != nil {
			return err
		}
		value, ok := token.(string)
		if !ok {
			return errShape
		}
		field, known := fields[key]
		switch {
		case !known:
			r.wrong("", fmt.Sprintf("has the unknown key %.40q", key))
		case seen[key]:
			r.wrong(key, "is there twice")
		default:
			*field = strings.TrimSpace(value)
		}
		seen[key] = true
	}
	r.targets = append(r.targets, t)
	return r.delimiter('}')
}

func (r *targetReader) delimiter(want json.Delim) error {
	token, err := r.decoder.Token()
	if err == nil && token != want {
		err = errShape
	}
	return err
}

// fields are where the keys' values go.
func (t *Target) fields() map[string]*string {
	return map[string]*string{
		"name": &t.Name, "role": &t.Role, "externalId": (*string)(&t.ExternalID), "region": &t.Region, "bucket": &t.Bucket,
		"prefix": &t.Prefix, "format": &t.Format, "exportRole": &t.ExportRole,
		"manifestBucket": &t.ManifestBucket, "manifestPrefix": &t.ManifestPrefix,
		"ecsEndpoint": &t.ECSEndpoint, "ossEndpoint": &t.OSSEndpoint,
	}
}

// check looks at one target by itself.
func (r *targetReader) check(t Target) {
	r.match("name", t.Name, targetName)
	if t.Name == Own {
		r.wrong("name", fmt.Sprintf("%q is the function's own destination", Own))
	}
	switch {
	case t.Bucket == "":
		r.wrong("bucket", "is missing")
	default:
		r.match("bucket", t.Bucket, bucketPattern)
	}
	switch {
	case t.Role == "" && t.ExternalID != "":
		r.wrong("externalId", "goes with a role")
	case t.Role == "" && t.Region == "":
		r.wrong("", "has neither role nor region: its images would be the function's own")
	case t.Role != "":
		r.match("role", t.Role, roleARN)
		if !externalID.MatchString(string(t.ExternalID)) { // the value is not repeated
			r.wrong("externalId", "is not 16 to 200 letters, digits, periods, underscores, slashes or hyphens")
		}
	}
	for _, optional := range []struct {
		field, value string
		pattern      pattern
	}{
		{"region", t.Region, regionID}, {"prefix", t.Prefix, prefixPattern}, {"exportRole", t.ExportRole, rolePattern},
		{"manifestBucket", t.ManifestBucket, bucketPattern},
	} {
		if optional.value != "" {
			r.match(optional.field, optional.value, optional.pattern)
		}
	}
	if t.Format != "" && !slices.Contains(formats, t.Format) {
		r.wrong("format", fmt.Sprintf("%q is not one of the formats", t.Format))
	}
	if t.ManifestPrefix != "" {
		if what := manifestPrefixProblem(t.ManifestPrefix); what != "" {
			r.wrong("manifestPrefix", what)
		}
	}
	r.endpoint("ecsEndpoint", t.ECSEndpoint)
	r.endpoint("ossEndpoint", t.OSSEndpoint)
}

func (r *targetReader) match(field, value string, p pattern) {
	if !p.MatchString(value) {
		r.wrong(field, fmt.Sprintf("%q does not fit", value))
	}
}

func (r *targetReader) endpoint(field, value string) {
	if value == "" {
		return
	}
	if _, err := endpoint.Parse(value); err != nil {
		r.wrong(field, err.Error())
	}
}

// targets checks the targets against each other and against the function's own destination: each has a name, a place and a
// bucket of its own. Manifests in one place would mix what belongs to different accounts: a hold, the queue, the timers' traces.
func (v *verdict) targets(c Config) {
	type claim struct{ what, value string }
	owner := map[claim]string{}
	claims := func(name, place string, c Config) {
		for _, one := range []claim{
			{"name", name}, {"account and region", place}, {"bucket", c.Bucket}, {"place of the manifests", c.ManifestBucket + "/" + c.ManifestPrefix},
		} {
			if other, taken := owner[one]; taken {
				v.wrong("FERRY_TARGETS", fmt.Sprintf("the target %q has the %s of %q", name, one.what, other))
				continue
			}
			owner[one] = name
		}
	}
	claims(Own, "/", c)
	for _, t := range c.Targets {
		claims(t.Name, t.AccountID()+"/"+t.Region, c.For(t, ""))
	}
}
