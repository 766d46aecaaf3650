// Imageferry exports every custom image of an ECS account to OSS and keeps a manifest of each export. This is the entry
// point on Alibaba Cloud Function Compute: configuration, handler, start.
package main

import (
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aliyun/fc-runtime-go-sdk/fc"

	"imageferry/handler"
	"imageferry/handler/page"
	"imageferry/internal/alicloud"
	"imageferry/internal/config"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/metrics"
	"imageferry/internal/notify"
	"imageferry/internal/version"
)

func main() {
	settings, err := config.FromEnviron(os.Environ())
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: settings.LogLevel})).With("version", version.Current)
	if err != nil {
		// Ending here would make FC start the process over and over: each invocation says what is wrong instead.
		log.Error("configuration", "error", err.Error())
	}
	f := function{settings: settings, problem: err, transport: alicloud.NewTransport(), roles: alicloud.NewRoles(),
		buckets: map[string]*export.BucketMemory{config.Own: export.NewBucketMemory()},
		metrics: metrics.New(version.Current, export.Reasons()), log: log}
	for _, t := range settings.Targets {
		f.buckets[t.Name] = export.NewBucketMemory()
	}
	options := handler.Options{Auth: string(settings.HTTPAuth), Token: string(settings.HTTPToken), Version: version.Current,
		Metrics: f.metrics, Log: log}
	if f.problem == nil {
		options.Page, f.problem = pageOptions(settings)
	}
	h := handler.New(f.open, options)
	fc.Start(h.Handle)
}

// A function is what lives as long as the process does.
type function struct {
	settings  config.Config
	problem   error
	transport *http.Transport
	roles     *alicloud.Roles
	buckets   map[string]*export.BucketMemory // by target
	metrics   *metrics.Metrics
	log       *slog.Logger
}

// notifier tells whom the configuration names.
func notifier(c config.Config, transport http.RoundTripper) (export.Notifier, error) {
	settings, wanted := c.Notify()
	if !wanted {
		return nil, nil
	}
	return notify.New(settings, transport, time.Now)
}

// pageOptions are how the status page is served.
func pageOptions(c config.Config) (page.Options, error) {
	o := page.Options{
		Version: version.Current, AllowActions: c.PageActions, Remember: page.DefaultRemember,
		RestoreCommand: func(m *manifest.Manifest) string { return page.RestoreCommand(m, c.ManifestFlags()...) },
	}
	if !c.PageActions {
		return o, nil
	}
	var err error
	o.Key, err = page.DeriveKey(string(c.HTTPToken)) // the same in all instances
	return o, err
}
