package config

import (
	"errors"
	"path"
	"slices"
	"strings"
)

// A List is a value of several items with commas between them.
type List []string

// UnmarshalText splits at commas; spaces around items and empty items are dropped. A list of nothing is an error: as a
// selection it would mean everything.
func (l *List) UnmarshalText(data []byte) error {
	*l = nil
	for item := range strings.SplitSeq(string(data), ",") {
		if item = strings.TrimSpace(item); item != "" {
			*l = append(*l, item)
		}
	}
	if len(*l) == 0 {
		return errors.New("no items")
	}
	return nil
}

// A Selection decides which images are wanted, by what is known of them.
type Selection struct {
	selectName, excludeName     List // patterns of path.Match
	selectFamily, excludeFamily List
	selectTags, excludeTags     List // key or key=value
}

// Selection is the one that the FERRY_SELECT_… and FERRY_EXCLUDE_… variables describe.
func (c Config) Selection() Selection {
	return Selection{
		selectName: c.SelectName, excludeName: c.ExcludeName,
		selectFamily: c.SelectFamily, excludeFamily: c.ExcludeFamily,
		selectTags: c.SelectTags, excludeTags: c.ExcludeTags,
	}
}

// Empty tells whether every image is wanted, so that nothing need be known of it.
func (s Selection) Empty() bool {
	return len(s.selectName)+len(s.excludeName)+len(s.selectFamily)+len(s.excludeFamily)+len(s.selectTags)+len(s.excludeTags) == 0
}

// Wants tells whether an image is wanted: it has to fit every kind of SELECT that is given (one of the names, one of the
// families, all of the tags) and nothing of any EXCLUDE.
func (s Selection) Wants(name, family string, tags map[string]string) bool {
	matches := func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return ok && err == nil
	}
	has := func(tag string) bool {
		key, wanted, exact := strings.Cut(tag, "=")
		value, ok := tags[key]
		return ok && (!exact || value == wanted)
	}
	lacks := func(tag string) bool { return !has(tag) }
	switch {
	case slices.ContainsFunc(s.excludeName, matches), slices.Contains(s.excludeFamily, family), slices.ContainsFunc(s.excludeTags, has):
		return false
	case len(s.selectName) > 0 && !slices.ContainsFunc(s.selectName, matches):
		return false
	case len(s.selectFamily) > 0 && !slices.Contains(s.selectFamily, family):
		return false
	}
	return !slices.ContainsFunc(s.selectTags, lacks)
}
