package handler

import (
	"cmp"
	"slices"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// A Scope is what a target looks after: Decode ignores the events that lie outside of all scopes. An empty field of the
// function's own scope is not compared.
type Scope struct {
	Name      string
	Region    string
	AccountID string
	// ManifestBucket and ManifestPrefix are where the function writes its own objects.
	ManifestBucket string
	ManifestPrefix string
	// Bucket is where ECS writes the exports.
	Bucket string
}

// Scopes are those of all targets, the function's own first.
type Scopes []Scope

// find tells which target an event belongs to, or why to none. What it belongs to is told in several places, all of which have to
// fit, the more trustworthy first; what none of them tells is taken to be the function's own.
func (s Scopes) find(places ...envelope) (target, reason, detail string) {
	at := envelope{region: s[0].Region, account: s[0].AccountID}
	for _, p := range slices.Backward(places) {
		at.region, at.account = cmp.Or(p.region, at.region), cmp.Or(p.account, at.account)
	}
	for i, scope := range s {
		why, what := scope.outside(places)
		switch {
		case i == 0:
			if why == "" {
				return scope.Name, "", ""
			}
			reason, detail = why, what
		case scope.AccountID != at.account:
		case why == "" && scope.Region == at.region:
			return scope.Name, "", ""
		case reason == reasonOtherAccount && why == reasonOtherRegion:
			reason, detail = why, what // the account is known here
		}
	}
	return "", reason, detail
}

// outside tells why an event of these places is not for the target. Empty values are not compared: not every event has them.
func (s Scope) outside(places []envelope) (reason, detail string) {
	for _, p := range places {
		if p.account != "" && s.AccountID != "" && p.account != s.AccountID {
			return reasonOtherAccount, "the event is of account " + clip(p.account, 32)
		}
	}
	for _, p := range places {
		if p.region != "" && s.Region != "" && p.region != s.Region {
			return reasonOtherRegion, "the event is of region " + clip(p.region, 32)
		}
	}
	return "", ""
}

// A Command is what an event asks for: Submit, Tick, Restore, HTTP or Ignored.
type Command interface{ command() }

// Submit asks for the export of one image.
type Submit struct {
	Order  export.Order
	Target string `json:",omitempty"` // empty: the function's own destination
}

// A Tick asks for rounds, in this order: Follow, Drain, Sweep.
type Tick struct {
	Trigger manifest.Trigger
	Follow  bool
	Drain   bool
	Sweep   *export.SweepOrder // nil: no sweep
	Target  string             `json:",omitempty"` // empty: all of them
}

// Restore asks for a restore, or for the rehearsal of one.
type Restore struct {
	Trigger manifest.Trigger
	ImageID string // of the export; empty: any, which only a rehearsal may be of
	Options restore.Options
	Force   bool
	Target  string `json:",omitempty"` // empty: the function's own destination
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
func (Restore) command() {}
func (HTTP) command()    {}
func (Ignored) command() {}
