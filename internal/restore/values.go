package restore

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// ValidName tells whether an image can have the name: "2 to 128 characters … must start with a letter or a Chinese character
// and cannot start with aliyun or acs: … It can contain digits, periods, colons, underscores, or hyphens". It stands in keys
// as it is.
func ValidName(name string) bool {
	n := utf8.RuneCountInString(name)
	if n < 2 || n > 128 || !utf8.ValidString(name) || reserved(name) {
		return false
	}
	for i, c := range name {
		switch {
		case isLetter(c):
		case i == 0:
			return false
		case c >= '0' && c <= '9', strings.ContainsRune(".:_-", c):
		default:
			return false
		}
	}
	return true
}

func isLetter(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || unicode.Is(unicode.Han, c)
}

// reserved tells whether ECS keeps such names, or such keys of tags, to itself.
func reserved(text string) bool {
	lower := strings.ToLower(text)
	return strings.HasPrefix(lower, "aliyun") || strings.HasPrefix(lower, "acs:") || hasURL(lower)
}

func hasURL(text string) bool {
	return strings.Contains(text, "http://") || strings.Contains(text, "https://")
}

// validDescription: "2 to 256 characters, cannot start with http:// or https://".
func validDescription(text string) bool {
	n := utf8.RuneCountInString(text)
	return n >= 2 && n <= 256 && !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://")
}

// maxTags is the API's limit.
const maxTags = 20

// validTag tells whether ImportImage takes a tag of the old image: it refuses the system's own.
func validTag(key, value string) bool {
	return key != "" && utf8.RuneCountInString(key) <= 128 && !reserved(key) &&
		utf8.RuneCountInString(value) <= 128 && !strings.HasPrefix(strings.ToLower(value), "acs:")
}

// platforms are those that ImportImage takes.
var platforms = []string{
	"Aliyun", "Anolis", "CentOS", "Ubuntu", "CoreOS", "SUSE", "Debian", "OpenSUSE", "FreeBSD", "RedHat", "Kylin", "UOS", "Fedora",
	"Fedora CoreOS", "CentOS Stream", "AlmaLinux", "Rocky Linux", "Gentoo", "Customized Linux", "Others Linux",
	"Windows Server 2022", "Windows Server 2019", "Windows Server 2016", "Windows Server 2012", "Windows Server 2008",
	"Windows Server 2003", "Other Windows",
}

// platformOf is a platform as ImportImage spells it; known is false for one that stands in for another. DescribeImages may
// know newer ones, and nothing is guessed from a name.
func platformOf(platform, osType string) (name string, known bool) {
	for _, p := range platforms {
		if strings.EqualFold(p, platform) {
			return p, true
		}
	}
	if osType == "windows" {
		return "Other Windows", false
	}
	return "Others Linux", false
}
