package restore

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// Options are what somebody wants of a restore; what is empty follows from the manifest, or from a default.
type Options struct {
	Name            string
	Role            string
	ResourceGroupID string // DefaultGroup for the account's default one
	// ObjectsBucket holds the objects now, under the keys of the manifest.
	ObjectsBucket string
	// KeepTemporary leaves the unpacked objects of a restore that succeeds.
	KeepTemporary bool
	Rehearsal     bool
}

// DefaultGroup as a resource group means: send none.
const DefaultGroup = "default"

// DefaultRole is the RAM role that ECS reads the objects with: "this exact name is required, otherwise the image import
// fails".
const DefaultRole = "AliyunECSImageImportDefaultRole"

// RehearsalName is the name under which an image is rehearsed. There is one for each image, so that a rehearsal that died is
// taken over and cleaned up by the next one.
func RehearsalName(imageID string) string { return export.RehearsalPrefix + imageID }

// The sources of a value.
const (
	fromManifest = "manifest"
	fromFlag     = "flag"
	fromDefault  = "default"
)

// A Value is one value of a plan, and where it came from.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"` // manifest, flag or default
	// Note says how it was made from that.
	Note string `json:"note,omitempty"`
}

// A Problem forbids a restore.
type Problem struct {
	Reason string `json:"reason"`
	Remedy string `json:"remedy"`
	Detail string `json:"detail,omitempty"`
}

// A Plan is everything that a restore will do, with every value decided.
type Plan struct {
	Region        string             `json:"region"`
	Name          string             `json:"name"`
	Rehearsal     bool               `json:"rehearsal,omitempty"`
	KeepTemporary bool               `json:"keepTemporary,omitempty"`
	Bucket        string             `json:"bucket"`
	Values        []Value            `json:"values"`
	Disks         []Disk             `json:"disks"`
	Request       Request            `json:"request"`
	After         Change             `json:"after,omitzero"`
	Warnings      []string           `json:"warnings,omitempty"`
	Problems      []Problem          `json:"problems,omitempty"`
	Transfers     []Transfer         `json:"transfers,omitempty"`
	Source        *manifest.Manifest `json:"-"`
	id            string
	moved         bool // somebody says that the objects are in another bucket than the manifest does
	foreign       bool // another account has exported the image
}

// Plan decides every value of a restore. It asks nobody: see Check for what the objects say.
func (r *Restorer) Plan(m *manifest.Manifest, o Options) *Plan {
	p := &planner{
		Plan: Plan{
			Region: r.settings.Region, Rehearsal: o.Rehearsal, KeepTemporary: o.KeepTemporary && !o.Rehearsal, Source: m, id: newID(),
			foreign: r.settings.AccountID != "" && m.Image.AccountID != r.settings.AccountID,
		},
		settings: r.settings, image: m.Image, options: o,
	}
	p.where()
	p.name()
	p.system()
	p.firmware()
	p.ownership()
	p.tags()
	p.disks(r.settings.Layout)
	p.afterwards()
	p.losses()
	return &p.Plan
}

// A planner makes a plan.
type planner struct {
	Plan
	settings Settings
	image    manifest.Image
	options  Options
}

func (p *planner) value(name, value, from, note string) {
	p.Values = append(p.Values, Value{Name: name, Value: value, From: from, Note: note})
}

func (p *planner) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

func (p *planner) problem(code, format string, args ...any) {
	p.refuse(found(code, fmt.Sprintf(format, args...)))
}

// either is a wish, or else what the manifest has, or else a default.
func (p *planner) either(name, wish, recorded, otherwise string) string {
	switch {
	case wish != "":
		p.value(name, wish, fromFlag, "")
		return wish
	case recorded != "":
		p.value(name, recorded, fromManifest, "")
		return recorded
	}
	if otherwise != "" {
		p.value(name, otherwise, fromDefault, "")
	}
	return otherwise
}

// isSegment tells whether a text is one that a manifest, which may come from anywhere, can bring into a key.
func isSegment(text string) bool {
	letter := func(r rune) bool { return '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' }
	other := func(r rune) bool { return !letter(r) && r != '_' && r != '-' }
	return text == "-" || text != "" && len(text) <= 128 && letter(rune(text[0])) && !strings.ContainsFunc(text, other)
}

func dash(text string) string { return cmp.Or(text, "-") }

// where is the region and the bucket.
func (p *planner) where() {
	from := fromManifest
	if p.Region != p.Source.Destination.Region {
		from = fromFlag
	}
	p.value("region", p.Region, from, "")
	d := p.Source.Destination
	for _, part := range []string{p.image.ID, d.Region, d.Bucket, d.Format, dash(d.Prefix)} {
		if !isSegment(part) {
			p.problem(manifestUnusable, "%.80q cannot be a part of its record's key", part)
		}
	}
	if p.Source.State != manifest.Exported || len(p.Source.Objects) == 0 {
		p.problem(notExported, "the manifest of %s says %s", p.image.ID, p.Source.State)
	}
	p.bucket()
}

// bucket is where the objects are looked for. Those of another region have to be copied first: see Check.
func (p *planner) bucket() {
	recorded := p.Source.Destination.Bucket
	if len(p.Source.Objects) > 0 {
		recorded = p.Source.Objects[0].Bucket
	}
	wish := p.options.ObjectsBucket
	if wish == "" && p.abroad() && p.settings.CopiesBucket != recorded {
		wish = p.settings.CopiesBucket
	}
	p.moved = wish != "" && (p.abroad() || wish != recorded)
	if p.moved {
		p.Bucket = wish
		p.value("bucket", wish, fromFlag, "with copies from "+recorded+" in "+p.Source.Destination.Region)
	} else {
		p.Bucket = p.either("bucket", wish, recorded, "")
	}
	if p.abroad() && !p.moved {
		p.problem(objectsElsewhere, "bucket %s is in %s; OSS copies nothing between regions", recorded, p.Source.Destination.Region)
		p.transferAll("")
	}
}

func (p *planner) name() {
	if p.Rehearsal {
		p.Name = RehearsalName(p.image.ID)
		p.value("name", p.Name, fromDefault, "a temporary one")
	} else {
		p.Name = p.either("name", p.options.Name, p.image.Name, "")
	}
	if !ValidName(p.Name) {
		p.problem(nameInvalid, "%.130q is no name for an image", p.Name)
	}
	p.Request.Name = p.Name
	switch d := p.image.Description; {
	case d == "":
	case validDescription(d):
		p.Request.Description = d
		p.value("description", d, fromManifest, "")
	default:
		p.warn("The description is left out: ECS takes 2 to 256 characters that do not begin with http:// or https://.")
	}
}

// system is what runs on the image.
func (p *planner) system() {
	p.Request.Architecture = p.oneOf("architecture", p.image.Architecture, "x86_64", "x86_64", "i386", "arm64")
	p.Request.OSType = p.oneOf("osType", strings.ToLower(p.image.OSType), "linux", "linux", "windows")
	platform, known := platformOf(p.image.Platform, p.Request.OSType)
	p.Request.Platform = platform
	switch {
	case known:
		p.value("platform", platform, fromManifest, "")
	case p.image.Platform == "":
		p.value("platform", platform, fromDefault, "the manifest has none")
	default:
		p.value("platform", platform, fromDefault, "ImportImage does not know "+p.image.Platform)
		p.warn("The platform %q is imported as %q: ECS sets no password, key or network in instances of it.", p.image.Platform, platform)
	}
	if p.Request.OSType == "windows" {
		p.Request.LicenseType = p.either("licenseType", "", p.image.LicenseType, "")
	}
}

// oneOf is the recorded value if ECS takes it.
func (p *planner) oneOf(name, recorded, otherwise string, allowed ...string) string {
	if slices.Contains(allowed, recorded) {
		p.value(name, recorded, fromManifest, "")
		return recorded
	}
	note := ""
	if recorded != "" {
		note = "ImportImage does not take " + recorded
		p.warn("The %s %q is imported as %q.", name, recorded, otherwise)
	}
	p.value(name, otherwise, fromDefault, note)
	return otherwise
}

const preferred = "UEFI-Preferred"

// firmware is the boot mode, and what else instances need to know before they start.
func (p *planner) firmware() {
	otherwise := "BIOS"
	if p.Request.Architecture == "arm64" {
		otherwise = "UEFI" // "only UEFI can be specified"
	}
	switch mode := p.image.BootMode; {
	case mode == preferred:
		// ImportImage does not take it. An image that can do both starts with either until it is set.
		p.Request.BootMode, p.After.BootMode = otherwise, preferred
		p.value("bootMode", mode, fromManifest, "imported as "+otherwise+", set afterwards")
	case mode == "UEFI" || mode == "BIOS" && otherwise == "BIOS":
		p.Request.BootMode = mode
		p.value("bootMode", mode, fromManifest, "")
	default:
		p.Request.BootMode = p.oneOf("bootMode", mode, otherwise, otherwise)
	}
	p.Request.NvmeSupport = p.oneOf("nvmeSupport", p.image.NvmeSupport, "unsupported", "supported", "unsupported")
	p.Request.ImdsSupport = p.oneOf("imdsSupport", p.image.ImdsSupport, "v1", "v1", "v2")
}

// ownership is with what rights and in which group.
func (p *planner) ownership() {
	p.Request.Role = p.either("role", p.options.Role, "", DefaultRole)
	group := p.options.ResourceGroupID
	switch {
	case group == DefaultGroup:
		p.value("resourceGroup", DefaultGroup, fromFlag, "")
	case group != "" || !p.foreign:
		p.Request.ResourceGroupID = p.either("resourceGroup", group, p.image.ResourceGroupID, "")
	case p.image.ResourceGroupID != "":
		p.value("resourceGroup", DefaultGroup, fromDefault, "that of the manifest belongs to account "+p.image.AccountID)
		p.warn("The resource group is not restored: it belongs to account %s.", p.image.AccountID)
	}
}

// The tags of a restored image, beside those of the exported one.
const (
	// TagRestore tells which restore has made the image: it is recognized by it after a lost answer.
	TagRestore = "imageferry-restore"
	// TagSource is the id of the exported image.
	TagSource = "imageferry-source"
	// TagVersion is the version within the image's family, which nothing can set.
	TagVersion = "imageferry-image-version"
)

func (p *planner) tags() {
	tags := map[string]string{TagRestore: p.id, TagSource: p.image.ID}
	if v := p.image.Version; v != "" && validTag(TagVersion, v) {
		tags[TagVersion] = v
		p.warn("The version %q becomes the tag %s: ECS has no way to set it.", v, TagVersion)
	}
	var left []string
	for _, key := range slices.Sorted(maps.Keys(p.image.Tags)) {
		value := p.image.Tags[key]
		switch _, ours := tags[key]; {
		case strings.HasPrefix(strings.ToLower(key), "acs:") || strings.HasPrefix(key, "imageferry-"):
		case ours || !validTag(key, value) || len(tags) >= maxTags:
			left = append(left, key)
		default:
			tags[key] = value
		}
	}
	if len(left) > 0 {
		p.warn("These tags are not restored, because ECS refuses them or takes no more than %d: %s.", maxTags, strings.Join(left, ", "))
	}
	p.Request.Tags = tags
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		from := fromManifest
		if key == TagRestore {
			from = fromDefault
		}
		p.value("tag "+key, tags[key], from, "")
	}
}

// afterwards is what ImportImage cannot set.
func (p *planner) afterwards() {
	if p.image.Family != "" && !p.Rehearsal {
		p.After.Family = p.image.Family
		p.value("imageFamily", p.image.Family, fromManifest, "set afterwards")
	}
}

// losses is what no import brings back.
func (p *planner) losses() {
	p.warn("The image gets a new id and a new creation time; shares, and who uses it, are not restored.")
	if p.image.IsSupportCloudinit || p.image.LoginAsNonRootSupport {
		p.warn("Whether the image supports cloud-init and logon as another user than root is for ECS to find out: nothing can set it.")
	}
	if slices.ContainsFunc(p.image.Disks, func(d manifest.Disk) bool { return d.Encrypted }) {
		p.warn("The disks of the image are not encrypted any more: encrypt a copy of it.")
	}
}

// place is the end of the name of a device.
func place(device string) string {
	return device[strings.LastIndexByte(device, '/')+1:]
}

// byPlace orders objects as ECS wants the disks: the system disk first, the data disks by their devices.
func byPlace(a, b manifest.Object) int {
	rank := func(o manifest.Object) int {
		if o.Role == "system" {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(len(a.Device), len(b.Device)), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Key, b.Key))
}
