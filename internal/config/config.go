// Package config is imageferry's configuration: environment variables, read into one struct.
package config

import (
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"imageferry/internal/notify"
)

// Config is the configuration. Each field's tags name its variable, its default, and what is allowed. An empty variable
// counts as one that is not set.
type Config struct {
	// Bucket is the OSS bucket that ECS writes the exported images to. It has to be in the function's region.
	Bucket string `env:"FERRY_BUCKET" allowed:"the name of an OSS bucket: 3 to 63 of a-z, 0-9 and -, with a letter or digit at both ends"`
	// Prefix begins the names of the exported objects: ECS puts an underscore between it and the image id.
	Prefix string `env:"FERRY_PREFIX" allowed:"1 to 30 letters or digits, or nothing"`
	// Format is the format of the exported images. Not every region has all of them.
	Format string `env:"FERRY_FORMAT" envDefault:"raw" allowed:"raw, vhd, qcow2, vmdk or vdi"`
	// ExportRole is the RAM role that ECS writes the objects with.
	ExportRole string `env:"FERRY_EXPORT_ROLE" envDefault:"AliyunECSImageExportDefaultRole" allowed:"the name of a RAM role: 1 to 64 letters, digits, periods, underscores, @ or hyphens"`

	// ManifestBucket is the OSS bucket of the manifests; by default the one of the images. It must never have been
	// versioned.
	ManifestBucket string `env:"FERRY_MANIFEST_BUCKET" allowed:"the name of an OSS bucket: 3 to 63 of a-z, 0-9 and -, with a letter or digit at both ends"`
	// ManifestPrefix begins the keys of everything that imageferry itself writes.
	ManifestPrefix string `env:"FERRY_MANIFEST_PREFIX" envDefault:"imageferry/" allowed:"names of letters, digits, periods, underscores and hyphens, each with a / after it; 100 characters in all"`

	// SelectName exports only images whose name matches one of these patterns.
	SelectName List `env:"FERRY_SELECT_NAME" allowed:"patterns separated by commas, with *, ? and [a-z]"`
	// ExcludeName exports no image whose name matches one of these patterns.
	ExcludeName List `env:"FERRY_EXCLUDE_NAME" allowed:"patterns separated by commas, with *, ? and [a-z]"`
	// SelectTags exports only images that have all of these tags.
	SelectTags List `env:"FERRY_SELECT_TAGS" allowed:"tags separated by commas, each a key or key=value"`
	// ExcludeTags exports no image that has one of these tags.
	ExcludeTags List `env:"FERRY_EXCLUDE_TAGS" allowed:"tags separated by commas, each a key or key=value"`
	// SelectFamily exports only images of one of these families.
	SelectFamily List `env:"FERRY_SELECT_FAMILY" allowed:"families separated by commas"`
	// ExcludeFamily exports no image of one of these families.
	ExcludeFamily List `env:"FERRY_EXCLUDE_FAMILY" allowed:"families separated by commas"`

	// SweepMaxAge is how old an image may be that the sweep still exports.
	SweepMaxAge time.Duration `env:"FERRY_SWEEP_MAX_AGE" envDefault:"168h" allowed:"a duration above 0, such as 168h"`
	// MaxAttempts is how often an export may fail before it is given up.
	MaxAttempts int `env:"FERRY_MAX_ATTEMPTS" envDefault:"3" allowed:"a whole number from 1 to 20"`
	// RetryDelay is the first wait of a queued export; it doubles with each further one.
	RetryDelay time.Duration `env:"FERRY_RETRY_DELAY" envDefault:"1m" allowed:"a duration of at least 10ms, such as 1m"`
	// ClockSkew is how far the clocks of two instances may differ.
	ClockSkew time.Duration `env:"FERRY_CLOCK_SKEW" envDefault:"10s" allowed:"a duration from 0s to 5m"`

	// ECSEndpoint is where ECS is called; by default the region's endpoint.
	ECSEndpoint string `env:"FERRY_ECS_ENDPOINT" allowed:"https://host[:port]; plain http only for a loopback host such as http://127.0.0.1:8080"`
	// OSSEndpoint is where OSS is called; by default the region's internal endpoint.
	OSSEndpoint string `env:"FERRY_OSS_ENDPOINT" allowed:"https://host[:port]; plain http only for a loopback host such as http://127.0.0.1:8080"`
	// STSEndpoint is where the roles of FERRY_TARGETS are assumed; by default the region's endpoint.
	STSEndpoint string `env:"FERRY_STS_ENDPOINT" allowed:"https://host[:port]; plain http only for a loopback host such as http://127.0.0.1:8080"`

	// Targets are other regions and accounts whose images are exported, too, each with a bucket of its own.
	Targets Targets `env:"FERRY_TARGETS" allowed:"a JSON array of at most 16 objects with name, bucket, and region or role and externalId; also prefix, format, exportRole, manifestBucket, manifestPrefix, ecsEndpoint, ossEndpoint"`

	// HTTPAuth is who lets HTTP requests in: the signature that the function's trigger verifies, the token, or nobody (off).
	HTTPAuth HTTPAuth `env:"FERRY_HTTP_AUTH" envDefault:"function" allowed:"function, token or off"`
	// HTTPToken is the bearer token that HTTP requests have to carry when FERRY_HTTP_AUTH is token.
	HTTPToken Secret `env:"FERRY_HTTP_TOKEN" allowed:"at least 16 printable ASCII characters without spaces, together with FERRY_HTTP_AUTH=token"`
	// NotifyURL is where a notice of every export that has ended is posted to. It is a secret: it holds a token.
	NotifyURL SecretURL `env:"FERRY_NOTIFY_URL" allowed:"an https URL without user or fragment; plain http only for a loopback host"`
	// NotifyFormat is what is posted: a signed JSON document (json), or the message of a group's robot.
	NotifyFormat string `env:"FERRY_NOTIFY_FORMAT" envDefault:"json" allowed:"json, dingtalk, feishu, wecom or slack; the one that the host of FERRY_NOTIFY_URL takes"`
	// NotifySecret is what notices are signed with.
	NotifySecret Secret `env:"FERRY_NOTIFY_SECRET" allowed:"for json whsec_ and the Base64 of 24 to 64 bytes, for dingtalk and feishu the robot's secret, otherwise nothing; together with FERRY_NOTIFY_URL"`
	// NotifyOn is which ends people are told of.
	NotifyOn List `env:"FERRY_NOTIFY_ON" envDefault:"failed" allowed:"failed, exported, skipped and cancelled, separated by commas"`
	// PageURL is where people find the status page: notices link to it.
	PageURL string `env:"FERRY_PAGE_URL" allowed:"an https URL of at most 200 bytes without user, query or fragment; plain http only for a loopback host"`
	// PageActions lets whoever sees the status page submit, retry and cancel there; otherwise it is read-only. Its forms are
	// signed with a key made of FERRY_HTTP_TOKEN.
	PageActions bool `env:"FERRY_PAGE_ACTIONS" envDefault:"false" allowed:"true or false; true together with FERRY_HTTP_AUTH=token"`
	// Restore lets the function restore exported images, when somebody asks over HTTP or by a timer, and rehearse that. Its role
	// needs permissions of its own for that.
	Restore bool `env:"FERRY_RESTORE" envDefault:"false" allowed:"true or false"`
	// AllowPublicRead exports also into a bucket that everyone can read.
	AllowPublicRead bool `env:"FERRY_ALLOW_PUBLIC_READ" envDefault:"false" allowed:"true or false"`
	// LogLevel is the least important level that is logged.
	LogLevel slog.Level `env:"FERRY_LOG_LEVEL" envDefault:"info" allowed:"debug, info, warn or error"`
}

// HTTPAuth is a way to let HTTP requests in.
type HTTPAuth string

// The values of FERRY_HTTP_AUTH.
const (
	AuthFunction HTTPAuth = "function"
	AuthToken    HTTPAuth = "token"
	AuthOff      HTTPAuth = "off"
)

// A Secret does not show itself to fmt, slog and encoders. string(s) is its value.
type Secret string

const hidden = "[redacted]"

// String hides the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// LogValue hides the value from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the value from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A SecretURL is a URL of which fmt, slog and encoders show the scheme and the host only. string(s) is its value.
type SecretURL string

// String hides all but the scheme and the host.
func (s SecretURL) String() string { return notify.Host(string(s)) }

// GoString hides the value from %#v.
func (s SecretURL) GoString() string { return `"` + s.String() + `"` }

// LogValue hides the value from slog.
func (s SecretURL) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the value from encoders.
func (s SecretURL) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// FromEnviron parses what os.Environ returns.
func FromEnviron(environ []string) (Config, error) {
	variables := make(map[string]string, len(environ))
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			variables[name] = value
		}
	}
	return Parse(variables)
}

// Parse reads and validates the configuration. The error is a Problems with everything that is wrong.
func Parse(environ map[string]string) (Config, error) {
	ours := make(map[string]string)
	for name, value := range environ {
		if strings.HasPrefix(name, prefix) {
			ours[name] = strings.TrimSpace(value)
		}
	}
	var c Config
	problems := unreadable(env.ParseWithOptions(&c, env.Options{Environment: ours}), ours)
	if c.ManifestBucket == "" {
		c.ManifestBucket = c.Bucket
	}
	problems = append(problems, unknown(ours)...)
	unread := problems
	for _, p := range append(c.problems(), debugging(environ)...) {
		// What could not be read was not set either, which would be reported a second time.
		if !slices.ContainsFunc(unread, func(q Problem) bool { return q.Variable == p.Variable }) {
			problems = append(problems, p)
		}
	}
	return c, problems.err()
}

// LogValue is the whole configuration under the variables' names, without the secrets.
func (c Config) LogValue() slog.Value {
	value := reflect.ValueOf(c)
	var attributes []slog.Attr
	for i, v := range Variables() {
		attributes = append(attributes, slog.Any(v.Name, value.Field(i).Interface()))
	}
	return slog.GroupValue(attributes...)
}

const prefix = "FERRY_"

// A Variable documents one environment variable.
type Variable struct {
	Name    string
	Default string // empty when there is none
	Allowed string
	field   string
}

// Variables are all variables in the order of Config's fields.
func Variables() []Variable {
	var all []Variable
	for field := range reflect.TypeFor[Config]().Fields() {
		all = append(all, Variable{
			Name:    field.Tag.Get("env"),
			Default: field.Tag.Get("envDefault"),
			Allowed: field.Tag.Get("allowed"),
			field:   field.Name,
		})
	}
	return all
}
