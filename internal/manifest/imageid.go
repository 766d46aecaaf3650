package manifest

import "strings"

// ValidImageID tells whether an id is one of a custom image, such as m-bp67acfmxazb4p****: "m-", a letter or digit, and up to
// 63 letters, digits and hyphens. So it is safe as a segment of a key.
func ValidImageID(id string) bool {
	rest, ok := strings.CutPrefix(id, "m-")
	if !ok || rest == "" || len(rest) > 64 || rest[0] == '-' {
		return false
	}
	for _, c := range []byte(rest) {
		if c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
