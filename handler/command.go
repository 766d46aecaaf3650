package handler

import (
	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// A Scope is what the function looks after: Decode ignores the events that lie outside it. An empty field is not compared.
type Scope struct {
	Region    string
	AccountID string
	// ManifestBucket and ManifestPrefix are where the function writes its own objects.
	ManifestBucket string
	ManifestPrefix string
	// Bucket is where ECS writes the exports.
	Bucket string
}

// A Command is what an event asks for: Submit, Tick, HTTP or Ignored.
type Command interface{ command() }

// Submit asks for the export of one image.
type Submit struct {
	Order export.Order
}

// A Tick asks for rounds, in this order: Follow, Drain, Sweep.
type Tick struct {
	Trigger manifest.Trigger
	Follow  bool
	Drain   bool
	Sweep   *export.SweepOrder // nil: no sweep
}

// HTTP is a request that the HTTP trigger has passed on.
type HTTP struct {
	Request Request
}

// Ignored is an event that asks for nothing. Repeating it changes nothing, so it is not an error.
type Ignored struct {
	Reason  string           `json:"reason"`
	Detail  string           `json:"detail,omitempty"`
	ImageID string           `json:"imageId,omitempty"`
	Trigger manifest.Trigger `json:"trigger"`
}

func (Submit) command()  {}
func (Tick) command()    {}
func (HTTP) command()    {}
func (Ignored) command() {}
