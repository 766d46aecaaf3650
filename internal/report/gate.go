package report

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"imageferry/internal/words"
)

// A Percent is a share in hundredths of a percent.
type Percent int

// ParsePercent reads 0% to 100%, with up to two decimals; the sign may be left out.
func ParsePercent(text string) (Percent, error) {
	number := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "%"))
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(value) || value < 0 || value > 100 {
		return 0, errors.New("not a share from 0% to 100%")
	}
	return Percent(math.Round(value * 100)), nil
}

// String is the share with its sign.
func (p Percent) String() string {
	return strconv.FormatFloat(float64(p)/100, 'f', -1, 64) + "%"
}

// Rules are what a gate asks for.
type Rules struct {
	// Require is the least coverage; nil asks for none.
	Require *Percent
	// MaxAge: every counted image older than this has to be exported; 0 asks for nothing.
	MaxAge time.Duration
	// Rehearsed: every exported image has to be proven restorable within this time; 0 asks for nothing.
	Rehearsed time.Duration
}

// A Gate is whether the coverage is enough.
type Gate struct {
	Met bool `json:"met"`
	// RequirePercent, MaxAgeSeconds and RehearsedSeconds are what was asked for; nil when it was not.
	RequirePercent   *float64 `json:"requirePercent,omitempty"`
	MaxAgeSeconds    *int64   `json:"maxAgeSeconds,omitempty"`
	RehearsedSeconds *int64   `json:"rehearsedSeconds,omitempty"`
	// Late counts the images that are older than that and not exported.
	Late int `json:"late"`
	// Unproven counts the exported images that were not proven restorable for longer than that.
	Unproven int `json:"unproven,omitempty"`
	// Problems says in words what was not met.
	Problems []string `json:"problems,omitempty"`
}

// Judge adds the gate to the report, and marks the rows that do not meet it. Rules that ask for nothing leave it as it is.
func (r *Report) Judge(rules Rules) {
	if rules.Require == nil && rules.MaxAge == 0 && rules.Rehearsed == 0 {
		return
	}
	g := &Gate{}
	s := r.Summary
	if rules.Require != nil {
		percent := float64(*rules.Require) / 100
		g.RequirePercent = &percent
		if s.Exported*10000 < int(*rules.Require)*s.Counted {
			g.Problems = append(g.Problems, fmt.Sprintf("%d of %d counted images are exported, %s are required", s.Exported, s.Counted, *rules.Require))
		}
	}
	if rules.MaxAge > 0 {
		seconds := int64(rules.MaxAge.Seconds())
		g.MaxAgeSeconds = &seconds
		for i := range r.Images {
			if row := &r.Images[i]; s.counts(row.Class) && row.Class != Exported && r.older(*row, rules.MaxAge) {
				row.Late = true
				g.Late++
			}
		}
		if g.Late > 0 {
			g.Problems = append(g.Problems, fmt.Sprintf("%d of the counted images are older than %s and not exported", g.Late, words.Span(rules.MaxAge)))
		}
	}
	r.judgeRehearsals(g, rules.Rehearsed)
	g.Met = len(g.Problems) == 0
	r.Gate = g
}

// judgeRehearsals asks of every exported image when it was proven restorable.
func (r *Report) judgeRehearsals(g *Gate, within time.Duration) {
	if within <= 0 {
		return
	}
	seconds := int64(within.Seconds())
	g.RehearsedSeconds = &seconds
	for i := range r.Images {
		if row := &r.Images[i]; row.Class == Exported &&
			(row.ProvenAt == nil || row.RehearsalFailed != "" || r.GeneratedAt.Sub(*row.ProvenAt) > within) {
			row.Unproven = true
			g.Unproven++
		}
	}
	if g.Unproven > 0 {
		g.Problems = append(g.Problems, fmt.Sprintf("%s not proven restorable within %s", words.Plural(g.Unproven, "exported image"), words.Span(within)))
	}
}

// counts tells whether images of a class are among the counted ones.
func (s Summary) counts(c Class) bool {
	return c != Excluded && (c != Skipped || !s.IgnoresSkipped)
}

// older is also true for an image whose age nobody knows: a gate must not be met by not knowing.
func (r *Report) older(row Row, age time.Duration) bool {
	return row.Created == nil || r.GeneratedAt.Sub(*row.Created) > age
}
