package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/config"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/version"
)

// A session is the domain with a person's credentials and configuration.
type session struct {
	*app
	config    config.Config
	options   alicloud.Options // without the account
	sts       string           // endpoint, empty for the region's
	local     bool             // the embedded cloud
	caller    alicloud.Caller  // after identify
	cloud     *alicloud.Session
	ferry     *export.Ferry
	journal   *manifest.Journal
	settings  export.Settings
	log       *slog.Logger
	bucketing *export.BucketMemory
}

// open makes a session that can read. Nothing is sent yet, except to find the embedded cloud.
func (c *connection) open(ctx context.Context, a *app) (*session, error) {
	s := &session{app: a, log: slog.New(slog.DiscardHandler), bucketing: export.NewBucketMemory()}
	if c.verbose {
		s.log = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	var err error
	if local := firstOf(c.local, a.getenv("IMAGEFERRY_LOCAL")); local != "" {
		err = s.openLocal(ctx, c, local)
	} else {
		err = s.openReal(c)
	}
	if err != nil {
		return nil, err
	}
	return s, s.connect()
}

// connect makes the clients and the domain from options, config and caller.
func (s *session) connect() error {
	options := s.options
	options.AccountID = s.caller.AccountID
	var err error
	if s.cloud, err = alicloud.Open(options); err != nil {
		return usage(err)
	}
	s.settings = s.config.Settings(options.Region, s.caller.AccountID)
	s.settings.ProbePause = 0 // whoever asks by hand does not wait
	cloud := s.cloud.Cloud(s.config.ManifestBucket)
	s.ferry = export.New(cloud, s.settings, s.bucketing, s.now, s.log)
	s.journal = manifest.NewJournal(cloud.Store, s.settings.Layout)
	return nil
}

// openAs makes a session that knows whose it is, as everything needs that looks at images.
func (c *connection) openAs(ctx context.Context, a *app) (*session, error) {
	s, err := c.open(ctx, a)
	if err != nil {
		return nil, err
	}
	if s.caller, err = alicloud.WhoAmI(ctx, s.options, s.sts); err != nil {
		return nil, fmt.Errorf("find out whose credentials these are: %w", err)
	}
	return s, s.connect()
}

// openReal takes configuration and credentials from flags, environment and the aliyun command line.
func (s *session) openReal(c *connection) error {
	environ := map[string]string{}
	for _, entry := range s.environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			environ[name] = value
		}
	}
	maps.Copy(environ, c.variables())
	var err error
	if s.config, err = config.Parse(environ); err != nil {
		return err
	}
	provider, region, err := s.credentials(c)
	if err != nil {
		return usage(err)
	}
	s.options = alicloud.Options{
		Region: region, Credentials: provider, ECSEndpoint: s.config.ECSEndpoint, OSSEndpoint: s.config.OSSEndpoint,
		HTTP: s.transport, Version: version.Current, Log: s.log,
	}
	if s.options.OSSEndpoint == "" {
		s.options.OSSEndpoint = "https://oss-" + region + ".aliyuncs.com" // the internal one is out of reach from here
	}
	s.sts = s.config.STSEndpoint
	return nil
}

// credentials finds credentials and region: both may come from a profile.
func (s *session) credentials(c *connection) (provider alicloud.Provider, region string, err error) {
	region = firstOf(c.region, s.getenv("ALIBABA_CLOUD_REGION_ID"), s.getenv("ALIBABA_CLOUD_REGION"))
	if c.profile == "" {
		provider = withAdvice(alicloud.DefaultChain())
		if region != "" {
			return provider, region, nil
		}
	}
	path, err := alicloud.ProfilePath()
	if err != nil {
		return nil, "", err
	}
	profile, err := alicloud.ReadProfile(path, firstOf(c.profile, s.getenv("ALIBABA_CLOUD_PROFILE")))
	if c.profile == "" {
		if err != nil || profile.Region == "" {
			return nil, "", advised{errors.New("no region is given"), "Give --region, or set ALIBABA_CLOUD_REGION_ID."}
		}
		return provider, profile.Region, nil
	}
	if err != nil {
		return nil, "", err
	}
	if region = firstOf(region, profile.Region); region == "" {
		return nil, "", advised{fmt.Errorf("profile %q has no region", profile.Name), "Give --region, or set ALIBABA_CLOUD_REGION_ID."}
	}
	provider, err = alicloud.FromProfile(path, profile)
	return provider, region, err
}

// withAdvice says what to do when there are no credentials.
func withAdvice(p alicloud.Provider) alicloud.Provider {
	return func(ctx context.Context) (alicloud.Credentials, error) {
		c, err := p(ctx)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w: set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or run aliyun configure and give --profile", err)
		}
		return c, err
	}
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// trigger is how an order of this command appears in the journal.
func (s *session) trigger(command string) manifest.Trigger {
	return manifest.Trigger{Kind: "cli", Source: "imageferry " + command, ID: s.caller.ARN, RequestID: s.caller.RequestID}
}

// patience is how long something that has begun may go on after Ctrl-C.
const patience = 30 * time.Second

// shield lets what changes something come to its end although the person has pressed Ctrl-C.
func shield(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), patience)
}
