package manifest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Ending is the entry of an export that is over in the index, newest first. Its key says what people count and filter by,
// so that counting reads no manifest. It is a hint: one that no longer fits, because the export was begun again and the
// writer died, may stay behind.
type Ending struct {
	At     time.Time // to the second
	State  State
	Reason string // empty when all is well
	// Took is how long it took from the last submission to its end, to the second.
	Took        time.Duration
	Bytes       int64 // of the verified objects
	Revision    int
	Destination Destination
	ImageID     string
}

// EndingOf is the entry that a terminal revision calls for.
func EndingOf(m *Manifest) (Ending, bool) {
	if !m.State.Terminal() {
		return Ending{}, false
	}
	e := Ending{At: m.UpdatedAt.UTC().Truncate(time.Second), State: m.State, Reason: m.Reason, Revision: m.Revision,
		Destination: m.Destination, ImageID: m.Image.ID}
	if n := len(m.Attempts); n > 0 {
		e.Took = max(0, m.UpdatedAt.Sub(m.Attempts[n-1].StartedAt).Truncate(time.Second))
	}
	if m.Verification != nil {
		e.Bytes = m.Verification.Bytes
	}
	return e, true
}

func (l Layout) ended() string { return l.Active() + "ended/" }

// lastSecond is what an ending's second is subtracted from: keys are listed upwards, and the newest is to come first.
const lastSecond = 9_999_999_999

// ending is a key such as active/ended/8202052799/exported/-/1260/8589934592/00000003/<destination>/<imageId>.
func (l Layout) ending(e Ending) string {
	return fmt.Sprintf("%s%010d/%s/%s/%d/%d/%08d/%s/%s", l.ended(), lastSecond-e.At.Unix(), e.State, dash(e.Reason),
		int64(e.Took/time.Second), e.Bytes, e.Revision, e.Destination.path(), e.ImageID)
}

// EndingKey is the key of an ending in the index.
func (l Layout) EndingKey(e Ending) string { return l.ending(e) }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func undash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// parseEnding reads a key back; a key that no ending has is not ok.
func (l Layout) parseEnding(key string) (Ending, bool) {
	rest, ok := strings.CutPrefix(key, l.ended())
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 11 || slices.Contains(parts, "") {
		return Ending{}, false
	}
	numbers := [4]int64{}
	for i, text := range []string{parts[0], parts[3], parts[4], parts[5]} {
		var err error
		if numbers[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return Ending{}, false
		}
	}
	if numbers[1] > math.MaxInt64/int64(time.Second) {
		return Ending{}, false
	}
	e := Ending{
		At:          time.Unix(lastSecond-numbers[0], 0).UTC(),
		State:       State(parts[1]),
		Reason:      undash(parts[2]),
		Took:        time.Duration(numbers[1]) * time.Second,
		Bytes:       numbers[2],
		Revision:    int(numbers[3]),
		Destination: destinationOf(parts[6:10]),
		ImageID:     parts[10],
	}
	return e, e.State.Terminal() && l.ending(e) == key
}

// PutEnding enters an ending; entering it again does no harm.
func (x *Index) PutEnding(ctx context.Context, e Ending) error {
	if err := x.store.Put(ctx, x.layout.ending(e), nil); err != nil {
		return fmt.Errorf("put ending of %s: %w", e.ImageID, err)
	}
	return nil
}

// RemoveEnding takes an ending out; one that is not there is no error.
func (x *Index) RemoveEnding(ctx context.Context, e Ending) error {
	if err := x.store.Delete(ctx, x.layout.ending(e)); err != nil {
		return fmt.Errorf("remove ending of %s: %w", e.ImageID, err)
	}
	return nil
}

// Ended lists a page of the exports that are over, the newest first, after the one given (zero: from the first).
func (x *Index) Ended(ctx context.Context, after Ending) (endings []Ending, more bool, err error) {
	from := ""
	if after.ImageID != "" {
		from = x.layout.ending(after)
	}
	return listPage(ctx, x.store, x.layout.ended(), from, x.layout.parseEnding)
}

// A Census is what a sweep that came to its end has counted.
type Census struct {
	At time.Time `json:"at"`
	// Since is the creation time of the oldest images that were looked at; zero when all were.
	Since time.Time `json:"since,omitzero"`
	// Wanted counts the images that the selection wants, Exported those of them that are exported.
	Wanted   int `json:"wanted"`
	Exported int `json:"exported"`
	// States counts all exports of the destination, those of deleted images included, and Bytes what they keep.
	States  map[State]int  `json:"states"`
	Reasons map[string]int `json:"reasons,omitempty"`
	Bytes   int64          `json:"bytes"`
}

func (l Layout) census() string { return l.Active() + "census" }

// PutCensus leaves the newest census over the one before.
func (x *Index) PutCensus(ctx context.Context, c Census) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encode census: %w", err)
	}
	if err := x.store.Put(ctx, x.layout.census(), append(data, '\n')); err != nil {
		return fmt.Errorf("write census: %w", err)
	}
	return nil
}

// Census reads it; nil when there is none, or none that can be decoded.
func (x *Index) Census(ctx context.Context) (*Census, error) {
	data, err := x.store.Get(ctx, x.layout.census())
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read census: %w", err)
	}
	var c Census
	if err := json.Unmarshal(data, &c); err != nil || c.At.IsZero() {
		return nil, nil
	}
	return &c, nil
}
