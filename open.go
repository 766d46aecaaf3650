package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aliyun/fc-runtime-go-sdk/fccontext"

	"imageferry/handler"
	"imageferry/handler/page"
	"imageferry/internal/alicloud"
	"imageferry/internal/config"
	"imageferry/internal/export"
	"imageferry/internal/restore"
	"imageferry/internal/version"
)

// open makes the domain for one invocation: for the function's own region and account with the invocation's credentials, and
// for each target with its own. Nothing is shared between accounts but the connections' transport, and nothing is called yet.
func (f function) open(ctx context.Context) ([]handler.Target, error) {
	if f.problem != nil {
		return nil, f.problem
	}
	fcx, ok := fccontext.FromContext(ctx)
	if !ok {
		return nil, errors.New("the invocation has no context of Function Compute")
	}
	own := place{
		name: config.Own, settings: f.settings, region: fcx.Region, account: fcx.AccountId,
		credentials: alicloud.Static(alicloud.Credentials{
			AccessKeyID:     fcx.Credentials.AccessKeyId,
			AccessKeySecret: fcx.Credentials.AccessKeySecret,
			SecurityToken:   fcx.Credentials.SecurityToken,
		}),
		// A tenth of a short timeout is enough to write down what was done.
		reserve: min(export.DefaultReserve, time.Duration(fcx.Function.Timeout)*time.Second/10),
		log:     f.log.With("requestId", fcx.RequestID),
	}
	first, err := f.target(own)
	if err != nil {
		return nil, err
	}
	targets := []handler.Target{first}
	for _, t := range f.settings.Targets {
		at, err := f.placeOf(t, own)
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		next, err := f.target(at)
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		targets = append(targets, next)
	}
	return targets, nil
}

// A place is an account in a region, with what its exports are made with.
type place struct {
	name            string
	settings        config.Config
	region, account string
	credentials     alicloud.Provider
	reserve         time.Duration
	log             *slog.Logger
}

// options are those of the clients of a place.
func (f function) options(at place) alicloud.Options {
	return alicloud.Options{
		Region:      at.region,
		AccountID:   at.account,
		Credentials: at.credentials,
		ECSEndpoint: at.settings.ECSEndpoint,
		OSSEndpoint: at.settings.OSSEndpoint,
		HTTP:        f.transport,
		Version:     version.Current,
		Log:         at.log,
		Observer:    f.metrics,
	}
}

// placeOf is the place of a target. Its role is assumed, from the function's own, when the first call needs it.
func (f function) placeOf(t config.Target, own place) (place, error) {
	at := own
	at.name, at.settings, at.log = t.Name, f.settings.For(t, own.region), own.log.With("target", t.Name)
	if t.Region != "" {
		at.region = t.Region
	}
	if t.Role == "" {
		return at, nil
	}
	at.account = t.AccountID()
	asking := f.options(own)
	asking.Log = at.log
	var err error
	at.credentials, err = f.roles.Provider(asking, f.settings.STSEndpoint, alicloud.Role{
		ARN: t.Role, ExternalID: string(t.ExternalID), Session: "imageferry-" + own.account + "-" + own.region,
	})
	return at, err
}

// target makes the domain of a place.
func (f function) target(at place) (handler.Target, error) {
	session, err := alicloud.Open(f.options(at))
	if err != nil {
		return handler.Target{}, err
	}
	cloud := session.Cloud(at.settings.ManifestBucket)
	if cloud.Notifier, err = notifier(at.settings, f.transport); err != nil {
		return handler.Target{}, err
	}
	settings := at.settings.Settings(at.region, at.account)
	settings.Reserve = at.reserve
	rehearsed := restorer(session, at)
	var restores handler.Restores
	if at.settings.Restore {
		restores = rehearsed
	}
	return handler.Target{
		Restores: restores,
		Ferry:    page.Ferry{Ferry: export.New(cloud, settings, f.buckets[at.name], time.Now, at.log), To: settings.Destination, Restores: rehearsed},
		Scope: handler.Scope{
			Name:           at.name,
			Region:         at.region,
			AccountID:      at.account,
			ManifestBucket: at.settings.ManifestBucket,
			ManifestPrefix: at.settings.ManifestPrefix,
			Bucket:         at.settings.Bucket,
		},
	}, nil
}

// restorer makes the domain of restores of a place.
func restorer(session *alicloud.Session, at place) *restore.Restorer {
	settings := at.settings.Restores(at.region, at.account)
	settings.Reserve = at.reserve
	return restore.New(session.Restores(at.settings.ManifestBucket), settings, time.Now, at.log)
}
