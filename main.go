// Imageferry exports every custom image of an ECS account to OSS and keeps a manifest of each export. This is the entry
// point on Alibaba Cloud Function Compute: configuration, handler, start.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/aliyun/fc-runtime-go-sdk/fc"
	"github.com/aliyun/fc-runtime-go-sdk/fccontext"

	"imageferry/handler"
	"imageferry/internal/alicloud"
	"imageferry/internal/config"
	"imageferry/internal/export"
	"imageferry/internal/version"
)

func main() {
	settings, err := config.FromEnviron(os.Environ())
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: settings.LogLevel}))
	if err != nil {
		// Ending here would make FC start the process over and over: each invocation says what is wrong instead.
		log.Error("configuration", "error", err.Error())
	}
	f := function{settings: settings, problem: err, transport: alicloud.NewTransport(), buckets: export.NewBucketMemory(), log: log}
	h := handler.New(f.open, handler.Options{
		Auth: string(settings.HTTPAuth), Token: string(settings.HTTPToken), Version: version.Current, Log: log,
	})
	fc.Start(h.Handle)
}

// A function is what lives as long as the process does.
type function struct {
	settings  config.Config
	problem   error
	transport *http.Transport
	buckets   *export.BucketMemory
	log       *slog.Logger
}

// open makes the domain for one invocation, with that invocation's region, account and credentials.
func (f function) open(ctx context.Context) (handler.Ferry, handler.Scope, error) {
	if f.problem != nil {
		return nil, handler.Scope{}, f.problem
	}
	fcx, ok := fccontext.FromContext(ctx)
	if !ok {
		return nil, handler.Scope{}, errors.New("the invocation has no context of Function Compute")
	}
	log := f.log.With("requestId", fcx.RequestID)
	session, err := alicloud.Open(alicloud.Options{
		Region:    fcx.Region,
		AccountID: fcx.AccountId,
		Credentials: alicloud.Static(alicloud.Credentials{
			AccessKeyID:     fcx.Credentials.AccessKeyId,
			AccessKeySecret: fcx.Credentials.AccessKeySecret,
			SecurityToken:   fcx.Credentials.SecurityToken,
		}),
		ECSEndpoint: f.settings.ECSEndpoint,
		OSSEndpoint: f.settings.OSSEndpoint,
		HTTP:        f.transport,
		Version:     version.Current,
		Log:         log,
	})
	if err != nil {
		return nil, handler.Scope{}, err
	}
	settings := f.settings.Settings(fcx.Region, fcx.AccountId)
	// A tenth of a short timeout is enough to write down what was done.
	settings.Reserve = min(export.DefaultReserve, time.Duration(fcx.Function.Timeout)*time.Second/10)
	ferry := export.New(session.Cloud(f.settings.ManifestBucket), settings, f.buckets, time.Now, log)
	return ferry, handler.Scope{
		Region:         fcx.Region,
		AccountID:      fcx.AccountId,
		ManifestBucket: f.settings.ManifestBucket,
		ManifestPrefix: f.settings.ManifestPrefix,
		Bucket:         f.settings.Bucket,
	}, nil
}
