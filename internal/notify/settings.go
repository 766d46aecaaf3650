package notify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"imageferry/internal/alicloud/endpoint"
	"imageferry/internal/manifest"
)

// A Format is how a receiver is spoken to.
type Format string

// The formats.
const (
	JSON     Format = "json"     // a document of ours, signed as Standard Webhooks has it
	DingTalk Format = "dingtalk" // a custom robot of a DingTalk group
	Feishu   Format = "feishu"   // a custom bot of a Feishu or Lark group
	WeCom    Format = "wecom"    // a robot of a WeCom (WeChat Work) group
	Slack    Format = "slack"    // an incoming webhook
)

// Formats lists them.
func Formats() []string {
	return []string{string(JSON), string(DingTalk), string(Feishu), string(WeCom), string(Slack)}
}

// Settings say whom to tell of what. URL and Secret are secrets, which fmt, slog and encoding/json do not show.
type Settings struct {
	// URL is the address that notices are posted to. The services' own ones hold a token.
	URL    string `json:"-"`
	Format Format
	// Secret signs, where the format has signatures; empty: nothing is signed.
	Secret string `json:"-"`
	// On are the terminal states that are told.
	On []manifest.State
	// PageURL is where the status page is; empty: there is no link to it.
	PageURL string
	// ManifestBucket and Layout tell where the manifests are.
	ManifestBucket string
	Layout         manifest.Layout
}

// String shows the settings without their secrets.
func (s Settings) String() string {
	return fmt.Sprintf("%s to %s on %v", s.Format, Host(s.URL), s.On)
}

// GoString hides the secrets from %#v.
func (s Settings) GoString() string { return "notify.Settings{" + s.String() + "}" }

// LogValue hides the secrets from slog.
func (s Settings) LogValue() slog.Value {
	return slog.GroupValue(slog.String("format", string(s.Format)), slog.String("url", Host(s.URL)), slog.Any("on", s.On))
}

// Host is all that may be shown of an address: its scheme and host.
func Host(address string) string {
	if address == "" {
		return ""
	}
	u, err := parseAddress(address)
	if err != nil {
		return "[redacted]"
	}
	return u.Scheme + "://" + u.Host + "/[redacted]"
}

// CheckURL checks the address of a receiver. Errors do not repeat it.
func CheckURL(address string) error {
	_, err := parseAddress(address)
	return err
}

// parseAddress takes https, and http where the host is this machine.
func parseAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Opaque != "" || u.Scheme == "":
		return nil, errors.New("is not a URL")
	case len(address) > maxAddress:
		return nil, errors.New("is too long")
	case u.User != nil:
		return nil, errors.New("has a user or password")
	case u.Fragment != "" || strings.HasSuffix(address, "#"):
		return nil, errors.New("has a fragment")
	}
	if _, err := endpoint.Parse(u.Scheme + "://" + u.Host); err != nil {
		return nil, err
	}
	return u, nil
}

// maxAddress is far above what the services give out, in bytes.
const maxAddress = 2048

// maxPage keeps the link in a message of the least capacity, in bytes.
const maxPage = 200

// CheckPage checks the address of the status page, which may be empty.
func CheckPage(address string) error {
	if address == "" {
		return nil
	}
	u, err := parseAddress(address)
	switch {
	case err != nil:
		return err
	case u.RawQuery != "" || u.ForceQuery:
		return errors.New("has a query")
	case len(address) > maxPage:
		return errors.New("is too long")
	}
	return nil
}

// services are the hosts that take one format only.
var services = map[string]Format{
	"oapi.dingtalk.com":   DingTalk,
	"open.feishu.cn":      Feishu,
	"open.larksuite.com":  Feishu,
	"qyapi.weixin.qq.com": WeCom,
	"hooks.slack.com":     Slack,
}

// FormatOf is the only format that the host of an address takes, where that is known: the services answer 200 to anything.
func FormatOf(address string) (Format, bool) {
	u, err := parseAddress(address)
	if err != nil {
		return "", false
	}
	f, ok := services[strings.ToLower(u.Hostname())]
	return f, ok
}

// secretPrefix and the sizes below are those of Standard Webhooks 1.0.0, in bytes.
const (
	secretPrefix = "whsec_"
	minSecret    = 24
	maxSecret    = 64
)

// CheckSecret checks the secret of a format, which may be empty. Errors do not repeat it.
func CheckSecret(f Format, secret string) error {
	if secret == "" {
		return nil
	}
	switch f {
	case WeCom, Slack:
		return fmt.Errorf("is set, but %s knows no signature: the address is the secret", f)
	case JSON:
		_, err := webhookKey(secret)
		return err
	}
	return nil
}

// webhookKey is the key in a secret of Standard Webhooks.
func webhookKey(secret string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok {
		return nil, errors.New("does not begin with " + secretPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("is not Base64 after " + secretPrefix)
	}
	if len(key) < minSecret || len(key) > maxSecret {
		return nil, fmt.Errorf("holds %d bytes", len(key))
	}
	return key, nil
}
