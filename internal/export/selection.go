package export

import (
	"strings"

	"imageferry/internal/manifest"
)

// RehearsalPrefix begins the names of the images that rehearsals of restores make, and delete again.
const RehearsalPrefix = "imageferry-rehearsal-"

// IsRehearsal tells by its name whether an image is a rehearsal's. Such images are never exported, not even on request.
func IsRehearsal(name string) bool { return strings.HasPrefix(name, RehearsalPrefix) }

// unwanted is the reason for which nobody is to submit an image that nobody has asked for by its id; empty when it is wanted.
func (f *Ferry) unwanted(i manifest.Image) string {
	switch {
	case IsRehearsal(i.Name):
		return imageRehearsal
	case f.settings.Wants != nil && !f.settings.Wants(i.Name, i.Family, i.Tags):
		return notSelected
	}
	return ""
}

// looksFirst tells whether an event's image has to be known before anything is written down of it.
func (s Settings) looksFirst() bool { return s.Wants != nil || s.Rehearses }
