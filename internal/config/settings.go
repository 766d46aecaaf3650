package config

import (
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/notify"
	"imageferry/internal/restore"
	"imageferry/internal/version"
)

// Settings are the domain's, for exports of one account and region.
func (c Config) Settings(region, accountID string) export.Settings {
	s := export.Settings{
		Destination: manifest.Destination{
			Region: region, Bucket: c.Bucket, Prefix: c.Prefix, Format: c.Format,
		},
		AccountID:       accountID,
		Role:            c.ExportRole,
		ManifestBucket:  c.ManifestBucket,
		Layout:          manifest.Layout(c.ManifestPrefix),
		SweepMaxAge:     c.SweepMaxAge,
		MaxAttempts:     c.MaxAttempts,
		RetryDelay:      c.RetryDelay,
		ProbePause:      4 * c.RetryDelay, // of the ticks, which come every minute
		ClockSkew:       c.ClockSkew,
		AllowPublicRead: c.AllowPublicRead,
		Rehearses:       c.Restore,
		Program:         version.Current,
	}
	if selection := c.Selection(); !selection.Empty() {
		s.Wants = selection.Wants
	}
	return s
}

// Restores are the settings of restores into one region of one account.
func (c Config) Restores(region, accountID string) restore.Settings {
	return restore.Settings{
		Region: region, AccountID: accountID, Layout: manifest.Layout(c.ManifestPrefix), RetryDelay: c.RetryDelay, ClockSkew: c.ClockSkew,
		Program: version.Current,
	}
}

// ManifestFlags are what the command line needs to find the manifests, beside the bucket of the exports.
func (c Config) ManifestFlags() []string {
	var flags []string
	if c.ManifestBucket != c.Bucket {
		flags = append(flags, "--manifest-bucket", c.ManifestBucket)
	}
	if c.ManifestPrefix != DefaultManifestPrefix {
		flags = append(flags, "--manifest-prefix", c.ManifestPrefix)
	}
	return flags
}

// DefaultManifestPrefix is that of FERRY_MANIFEST_PREFIX.
const DefaultManifestPrefix = "imageferry/"

// Notify are the settings of notifications; false when nobody is to be told.
func (c Config) Notify() (notify.Settings, bool) {
	s := notify.Settings{
		URL:            string(c.NotifyURL),
		Format:         notify.Format(c.NotifyFormat),
		Secret:         string(c.NotifySecret),
		PageURL:        c.PageURL,
		ManifestBucket: c.ManifestBucket,
		Layout:         manifest.Layout(c.ManifestPrefix),
	}
	for _, state := range c.NotifyOn {
		s.On = append(s.On, manifest.State(state))
	}
	return s, s.URL != ""
}
