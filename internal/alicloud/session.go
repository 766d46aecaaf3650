package alicloud

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"imageferry/internal/alicloud/endpoint"
)

// Options are what a Session is made from.
type Options struct {
	// Region is the id of the region that images, tasks and the OSS endpoint are in, such as cn-hangzhou.
	Region string
	// AccountID stands in for the owner of the account's own images where ECS does not tell it.
	AccountID string
	// Credentials is asked before every attempt of every call.
	Credentials Provider
	// ECSEndpoint and OSSEndpoint are URLs or bare hosts, see endpoint.Parse; empty ones follow from the region.
	ECSEndpoint string
	OSSEndpoint string
	// HTTP carries all calls; made once a process, see NewTransport.
	HTTP http.RoundTripper
	// Version is imageferry's, for the User-Agent.
	Version string
	// Log receives one line a retry; nil is silence.
	Log *slog.Logger
	// Backoff is the wait between the tries of a call; zero is 100ms, at most 2s.
	Backoff Backoff
	// Timeout bounds each try; zero is 20s. The context of the call bounds them all.
	Timeout time.Duration
	// Observer is told of every try; nil: nobody is.
	Observer Observer
}

// A Session holds the clients for one set of credentials. It is cheap: nothing is sent, or asked of the provider,
// before the first call. Its clients are safe for concurrent use.
type Session struct {
	ECS *ECS
	OSS *OSS
}

// Open makes a Session. An error is a mistake in the options.
func Open(options Options) (*Session, error) {
	if !isRegion(options.Region) {
		return nil, fmt.Errorf("open session: %q is not a region id", options.Region)
	}
	if options.Credentials == nil {
		return nil, errors.New("open session: no credentials provider")
	}
	if options.HTTP == nil {
		return nil, errors.New("open session: no HTTP transport")
	}
	ossEndpoint := options.OSSEndpoint
	if ossEndpoint == "" {
		// The public endpoint is no default: it costs traffic, and refuses data operations of newer accounts in mainland
		// China.
		ossEndpoint = "https://oss-" + options.Region + "-internal.aliyuncs.com"
	}
	atOSS, err := endpoint.Parse(ossEndpoint)
	if err != nil {
		return nil, fmt.Errorf("open session: OSS endpoint %w", err)
	}
	atECS := endpoint.Endpoint{Scheme: "https"} // no host: the SDK knows those of the regions
	if options.ECSEndpoint != "" {
		if atECS, err = endpoint.Parse(options.ECSEndpoint); err != nil {
			return nil, fmt.Errorf("open session: ECS endpoint %w", err)
		}
	}
	line := line{
		credentials: options.Credentials,
		http:        options.HTTP,
		log:         options.Log,
		backoff:     options.Backoff.orDefault(),
		random:      jitter,
		timeout:     options.Timeout,
		observer:    options.Observer,
	}
	if line.log == nil {
		line.log = slog.New(slog.DiscardHandler)
	}
	if line.timeout <= 0 {
		line.timeout = 20 * time.Second
	}
	return &Session{
		ECS: &ECS{line: line.to("ecs"), region: options.Region, account: options.AccountID, endpoint: atECS, version: options.Version},
		OSS: &OSS{line: line.to("oss"), region: options.Region, endpoint: atOSS, version: options.Version},
	}, nil
}

// isRegion tells whether text is made as ids of regions are: lower-case letters and digits, joined by hyphens.
func isRegion(text string) bool {
	for part := range strings.SplitSeq(text, "-") {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return false
		}
	}
	return true
}
