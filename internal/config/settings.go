package config

import (
	"imageferry/internal/export"
	"imageferry/internal/manifest"
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
		ClockSkew:       c.ClockSkew,
		AllowPublicRead: c.AllowPublicRead,
		Program:         version.Current,
	}
	if selection := c.Selection(); !selection.Empty() {
		s.Wants = selection.Wants
	}
	return s
}
