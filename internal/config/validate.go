package config

import (
	"fmt"
	"log/slog"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"imageferry/internal/alicloud/endpoint"
	"imageferry/internal/manifest"
	"imageferry/internal/notify"
)

var (
	bucketPattern = newPattern(`^[a-z0-9][a-z0-9-]*[a-z0-9]$`, 3, 63)
	prefixPattern = newPattern(`^[A-Za-z0-9]+$`, 1, 30)
	rolePattern   = newPattern(`^[A-Za-z0-9._@-]+$`, 1, 64)
	// Narrower than what OSS takes in a key: it stands in RAM policies, where * and ? have a meaning.
	keyPattern   = newPattern(`^([A-Za-z0-9._-]+/)+$`, 1, math.MaxInt)
	tokenPattern = newPattern(`^[!-~]+$`, 16, math.MaxInt)
	formats      = []string{"raw", "vhd", "qcow2", "vmdk", "vdi"}
)

// Validate reports everything that is wrong, as Problems, or nil.
func (c Config) Validate() error { return c.problems().err() }

func (c Config) problems() Problems {
	var v verdict
	if c.Bucket == "" {
		v.wrong("FERRY_BUCKET", "is missing")
	}
	for name, bucket := range map[string]string{"FERRY_BUCKET": c.Bucket, "FERRY_MANIFEST_BUCKET": c.ManifestBucket} {
		// By default one is the other: its problem is reported once.
		if bucket != "" && (name == "FERRY_BUCKET" || bucket != c.Bucket) {
			v.match(name, bucket, bucketPattern)
		}
	}
	if c.Prefix != "" {
		v.match("FERRY_PREFIX", c.Prefix, prefixPattern)
	}
	v.oneOf("FERRY_FORMAT", c.Format, formats...)
	v.match("FERRY_EXPORT_ROLE", c.ExportRole, rolePattern)
	v.manifestPrefix(c.ManifestPrefix)

	v.patterns("FERRY_SELECT_NAME", c.SelectName)
	v.patterns("FERRY_EXCLUDE_NAME", c.ExcludeName)
	v.tags("FERRY_SELECT_TAGS", c.SelectTags)
	v.tags("FERRY_EXCLUDE_TAGS", c.ExcludeTags)

	v.duration("FERRY_SWEEP_MAX_AGE", c.SweepMaxAge, 1, 0)
	v.duration("FERRY_RETRY_DELAY", c.RetryDelay, 10*time.Millisecond, 0)
	v.duration("FERRY_CLOCK_SKEW", c.ClockSkew, 0, 5*time.Minute)
	if c.MaxAttempts < 1 || c.MaxAttempts > 20 {
		v.wrong("FERRY_MAX_ATTEMPTS", fmt.Sprintf("%d is out of range", c.MaxAttempts))
	}

	v.endpoint("FERRY_ECS_ENDPOINT", c.ECSEndpoint)
	v.endpoint("FERRY_OSS_ENDPOINT", c.OSSEndpoint)
	v.endpoint("FERRY_STS_ENDPOINT", c.STSEndpoint)
	v.targets(c)
	v.auth(c.HTTPAuth, c.HTTPToken)
	if c.PageActions && c.HTTPAuth != AuthToken {
		v.wrong("FERRY_PAGE_ACTIONS", "is true, but without FERRY_HTTP_TOKEN there is no secret to protect the forms with")
	}
	v.notify(c)
	if err := notify.CheckPage(c.PageURL); err != nil {
		v.wrong("FERRY_PAGE_URL", err.Error())
	}
	if !slices.Contains([]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}, c.LogLevel) {
		v.wrong("FERRY_LOG_LEVEL", fmt.Sprintf("%q is not one of the levels", c.LogLevel))
	}
	return v.problems
}

// A verdict collects problems.
type verdict struct{ problems Problems }

func (v *verdict) wrong(name, what string) {
	for _, variable := range Variables() {
		if variable.Name == name {
			v.problems = append(v.problems, Problem{name, what, variable.Allowed})
		}
	}
}

func (v *verdict) match(name, value string, p pattern) {
	if !p.MatchString(value) {
		v.wrong(name, fmt.Sprintf("%q does not fit", value))
	}
}

func (v *verdict) oneOf(name, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		v.wrong(name, fmt.Sprintf("%q is not one of them", value))
	}
}

func (v *verdict) manifestPrefix(value string) {
	if what := manifestPrefixProblem(value); what != "" {
		v.wrong("FERRY_MANIFEST_PREFIX", what)
	}
}

// manifestPrefixProblem is what is wrong with a prefix of the manifests, empty when nothing is.
func manifestPrefixProblem(value string) string {
	switch {
	case strings.HasPrefix(value, "/"):
		return fmt.Sprintf("%q begins with /", value)
	case !strings.HasSuffix(value, "/"):
		return fmt.Sprintf("%q does not end with /", value)
	case strings.Contains(value, ".."):
		return fmt.Sprintf("%q has .. in it", value)
	case len(value) > 100:
		return fmt.Sprintf("%d characters are too many", len(value))
	case !keyPattern.MatchString(value):
		return fmt.Sprintf("%q does not fit", value)
	}
	return ""
}

func (v *verdict) patterns(name string, list List) {
	for _, pattern := range list {
		if _, err := path.Match(pattern, ""); err != nil {
			v.wrong(name, fmt.Sprintf("%q is not a pattern", pattern))
			return
		}
	}
}

func (v *verdict) tags(name string, list List) {
	for _, tag := range list {
		if strings.HasPrefix(tag, "=") {
			v.wrong(name, fmt.Sprintf("%q has no key", tag))
			return
		}
	}
}

// duration checks the bounds; an upper one of 0 is none.
func (v *verdict) duration(name string, value, least, most time.Duration) {
	if value < least || (most > 0 && value > most) {
		v.wrong(name, fmt.Sprintf("%v is out of range", value))
	}
}

func (v *verdict) endpoint(name, value string) {
	if value == "" {
		return
	}
	if _, err := endpoint.Parse(value); err != nil {
		v.wrong(name, err.Error())
	}
}

func (v *verdict) auth(auth HTTPAuth, token Secret) {
	const name = "FERRY_HTTP_TOKEN"
	switch auth {
	case AuthToken:
		switch {
		case token == "":
			v.wrong(name, "is missing")
		case !tokenPattern.MatchString(string(token)):
			v.wrong(name, "is too short or has other characters")
		}
	case AuthFunction, AuthOff:
		if token != "" {
			v.wrong(name, "is set, but protects nothing as FERRY_HTTP_AUTH is "+string(auth))
		}
	default:
		v.wrong("FERRY_HTTP_AUTH", fmt.Sprintf("%q is not one of them", string(auth)))
	}
}

func (v *verdict) notify(c Config) {
	v.oneOf("FERRY_NOTIFY_FORMAT", c.NotifyFormat, notify.Formats()...)
	for _, state := range c.NotifyOn {
		if !manifest.State(state).Terminal() {
			v.wrong("FERRY_NOTIFY_ON", fmt.Sprintf("%q is not one of them", state))
			break
		}
	}
	url := string(c.NotifyURL)
	if url == "" {
		if c.NotifySecret != "" {
			v.wrong("FERRY_NOTIFY_SECRET", "is set, but FERRY_NOTIFY_URL is not")
		}
		return
	}
	if err := notify.CheckURL(url); err != nil {
		v.wrong("FERRY_NOTIFY_URL", err.Error())
	}
	if err := notify.CheckSecret(notify.Format(c.NotifyFormat), string(c.NotifySecret)); err != nil {
		v.wrong("FERRY_NOTIFY_SECRET", err.Error())
	}
	if only, known := notify.FormatOf(url); known && string(only) != c.NotifyFormat {
		v.wrong("FERRY_NOTIFY_FORMAT", fmt.Sprintf("%q is not what the host of FERRY_NOTIFY_URL takes: that is %s", c.NotifyFormat, only))
	}
}
