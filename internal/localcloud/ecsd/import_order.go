package ecsd

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"imageferry/internal/localcloud/openapi"
)

const (
	// maxImportDisks is how many mappings count; further ones are ignored without a word.
	maxImportDisks = 17
	// maxImportGiB is the largest disk of an import.
	maxImportGiB = 2048
)

// The values that ImportImage documents. What an image has otherwise, such as UEFI-Preferred, it does not take.
var (
	importArchitectures = []string{"i386", "x86_64", "arm64"}
	importPlatforms     = []string{"Aliyun", "Anolis", "CentOS", "Ubuntu", "CoreOS", "SUSE", "Debian", "OpenSUSE", "FreeBSD", "RedHat",
		"Kylin", "UOS", "Fedora", "Fedora CoreOS", "CentOS Stream", "AlmaLinux", "Rocky Linux", "Gentoo", "Customized Linux",
		"Others Linux", "Windows Server 2022", "Windows Server 2019", "Windows Server 2016", "Windows Server 2012",
		"Windows Server 2008", "Windows Server 2003", "Other Windows"}
	importFormats  = []string{"", "raw", "vhd", "qcow2", "vmdk"}
	importLicenses = []string{"", "Auto", "Aliyun", "BYOL"}

	importName    = regexp.MustCompile(`^\p{L}[\p{L}\p{N}.:_-]{1,127}$`)
	deviceName    = regexp.MustCompile(`^/dev/xvd[a-z]$`)
	resourceGroup = regexp.MustCompile(`^rg-[0-9a-z]+$`)
	bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

	// packedSuffixes are refused. Guess: which suffixes the platform refuses is not documented. That it takes four plain
	// formats is, and keys without a suffix are known to work, so it is what names anything packed, or another format.
	packedSuffixes = []string{".gz", ".tgz", ".tar", ".zip", ".bz2", ".xz", ".zst", ".lz4", ".7z", ".rar", ".iso", ".ova", ".vdi", ".vhdx"}
)

// An importOrder is what a call of ImportImage asks for: the image that it makes, without the bytes of its disks, and the role.
type importOrder struct {
	image Image
	role  string
}

// importRole is the only role that an import may name; its name is required to be exactly this.
const importRole = "AliyunECSImageImportDefaultRole"

func malformed(field, message string) *openapi.Error {
	return openapi.Errorf(http.StatusBadRequest, field+".Malformed", "%s", message)
}

func parseImport(p openapi.Params) (importOrder, *openapi.Error) {
	order := importOrder{role: importRole}
	override(&order.role, p.Get("RoleName"))
	i := &order.image
	*i = Image{Name: p.Get("ImageName"), Description: p.Get("Description"), ResourceGroupID: p.Get("ResourceGroupId"),
		Architecture: "x86_64", OSType: p.Get("OSType"), Platform: "Others Linux", BootMode: p.Get("BootMode"),
		Status: StatusWaiting, Progress: "0%"}
	override(&i.Architecture, p.Get("Architecture"))
	override(&i.Platform, p.Get("Platform"))
	for _, check := range []func(openapi.Params, *Image) *openapi.Error{
		checkImportName, checkImportKind, checkImportBoot, checkImportFeatures, parseImportTags, parseImportDisks,
	} {
		if err := check(p, i); err != nil {
			return importOrder{}, err
		}
	}
	return order, nil
}

func checkImportName(_ openapi.Params, i *Image) *openapi.Error {
	switch {
	case i.Name != "" && (!importName.MatchString(i.Name) || !validName(i.Name)):
		return malformed("InvalidImageName", "The specified Image name is wrongly formed.")
	case !validDescription(i.Description):
		return malformed("InvalidDescription", "The specified description is wrongly formed.")
	case i.ResourceGroupID != "" && !resourceGroup.MatchString(i.ResourceGroupID):
		// Guess: resource groups are not modelled; every well-formed one exists.
		return openapi.Errorf(http.StatusNotFound, "InvalidResourceGroup.NotFound", "The ResourceGroup provided does not exist in our records.")
	}
	return nil
}

// validDescription checks 2 to 256 characters that do not begin like an address.
func validDescription(text string) bool {
	n := len([]rune(text))
	return text == "" || n >= 2 && n <= 256 && !strings.HasPrefix(text, "http://") && !strings.HasPrefix(text, "https://")
}

// checkImportKind checks architecture, operating system and license. Guess: a platform that contradicts the OSType is
// refused, and without an OSType the platform decides.
func checkImportKind(p openapi.Params, i *Image) *openapi.Error {
	windows := strings.Contains(i.Platform, "Windows")
	switch {
	case !slices.Contains(importArchitectures, i.Architecture):
		return malformed("InvalidArchitecture", "The specified Architecture is wrongly formed.")
	case !slices.Contains(importPlatforms, i.Platform):
		return malformed("InvalidPlatform", "The specified Platform is wrongly formed.")
	case i.OSType != "" && i.OSType != "linux" && i.OSType != "windows":
		return malformed("InvalidOSType", "The specified OSType is wrongly formed.")
	case i.OSType == "windows" && p.Get("Platform") == "":
		i.Platform, windows = "Other Windows", true
	case i.OSType != "" && windows != (i.OSType == "windows"):
		return malformed("InvalidPlatform", "The specified Platform is wrongly formed.")
	case !slices.Contains(importLicenses, p.Get("LicenseType")):
		return openapi.Errorf(http.StatusBadRequest, "InvalidLicenseType.NotSupported", "The specified LicenseType is not supported.")
	case windows && i.Architecture == "arm64":
		return openapi.Errorf(http.StatusForbidden, "InvalidArchitecture.PlatformUnsupported",
			"The specified Architecture is not supported by the Platform.") // Guess: the text.
	}
	if windows {
		i.OSType = "windows"
	}
	return nil
}

func checkImportBoot(p openapi.Params, i *Image) *openapi.Error {
	preset := "BIOS"
	if i.Architecture == "arm64" {
		preset = "UEFI"
	}
	setDefault(&i.BootMode, preset)
	switch {
	case i.BootMode != "BIOS" && i.BootMode != "UEFI":
		return malformed("InvalidBootMode", "The specified BootMode is wrongly formed.")
	case i.Architecture == "arm64" && i.BootMode != "UEFI":
		return openapi.Errorf(http.StatusBadRequest, "InvalidBootMode.NotSupport", "The specified BootMode is not supported.")
	case p.Get("DetectionStrategy") != "" && p.Get("DetectionStrategy") != "Standard":
		return openapi.Errorf(http.StatusBadRequest, "InvalidParameter.DetectionStrategy", "The specified DetectionStrategy is not valid.")
	}
	return nil
}

func checkImportFeatures(p openapi.Params, i *Image) *openapi.Error {
	switch p.Get("Features.NvmeSupport") {
	case "", "unsupported":
	case "supported":
		i.NvmeSupport = true
	default:
		// Guess: the code, which is like that of the other feature.
		return openapi.Errorf(http.StatusBadRequest, "InvalidParameter.FeaturesNvmeSupport",
			"The specified parameter Features.NvmeSupport is not valid.")
	}
	switch p.Get("Features.ImdsSupport") {
	case "", "v1":
	case "v2":
		i.ImdsV2 = true
	default:
		return openapi.Errorf(http.StatusBadRequest, "InvalidParameter.FeaturesImdsSupport",
			"The specified parameter Features.ImdsSupport is not valid.")
	}
	return nil
}

// parseImportTags reads the tags. Guess: the codes, apart from that of a duplicate.
func parseImportTags(p openapi.Params, i *Image) *openapi.Error {
	tags := parseTags(p)
	if len(tags) > 20 {
		return openapi.Errorf(http.StatusBadRequest, "InvalidTagCount", "The specified tags are beyond the permitted range.")
	}
	for _, tag := range tags {
		key, value := tag["Key"], tag["Value"]
		_, twice := i.Tags[key]
		switch {
		case !validTag(key, 128) || key == "" || strings.HasPrefix(key, "aliyun"):
			return malformed("InvalidTagKey", "The specified Tag.n.Key is not valid.")
		case !validTag(value, 128):
			return malformed("InvalidTagValue", "The specified Tag.n.Value is not valid.")
		case twice:
			return openapi.Errorf(http.StatusForbidden, "TagKey.Duplication", "The specified tag key is duplicated.")
		case i.Tags == nil:
			i.Tags = map[string]string{}
		}
		i.Tags[key] = value
	}
	return nil
}

func validTag(text string, longest int) bool {
	return len([]rune(text)) <= longest && !strings.HasPrefix(text, "acs:") &&
		!strings.Contains(text, "http://") && !strings.Contains(text, "https://")
}

// parseImportDisks reads the mappings: the first is the system disk's, the others are data disks' in their order.
// Guess: they get the devices /dev/xvda, /dev/xvdb and so on, whatever Device says.
func parseImportDisks(p openapi.Params, i *Image) *openapi.Error {
	mappings := p.Structs("DiskDeviceMapping", "OSSBucket", "OSSObject", "Format", "DiskImageSize", "DiskImSize", "Device")
	if len(mappings) == 0 {
		return openapi.Errorf(http.StatusForbidden, "MissingParameter.DiskDeviceMapping", "The DiskDeviceMapping is mandatory for this action.")
	}
	for n, m := range mappings[:min(len(mappings), maxImportDisks)] {
		disk := Disk{Device: "/dev/xvd" + string(rune('a'+n)), Type: "data", Format: strings.ToLower(m["Format"]),
			ImportBucket: m["OSSBucket"], ImportObject: m["OSSObject"]}
		if n == 0 {
			disk.Type = "system"
		}
		name := "DiskDeviceMapping." + strconv.Itoa(n+1)
		switch {
		case disk.ImportBucket == "":
			return openapi.Missing(name + ".OSSBucket")
		case disk.ImportObject == "":
			return openapi.Missing(name + ".OSSObject")
		case !bucketPattern.MatchString(disk.ImportBucket):
			return malformed("InvalidOSSBucket", "The specified OSS bucket is wrongly formed.")
		case len(disk.ImportObject) > 1023 || strings.HasPrefix(disk.ImportObject, "/") || strings.HasPrefix(disk.ImportObject, `\`):
			return malformed("InvalidOSSObject", "The specified OSS object is wrongly formed.")
		case !slices.Contains(importFormats, disk.Format):
			return malformed("InvalidImageFormat", "The specified Image Format is wrongly formed.")
		case packed(disk.ImportObject):
			return openapi.Errorf(http.StatusBadRequest, "UnsupportedSuffix.OSSObject", "The specified OSS object suffix is not supported.")
		case m["Device"] != "" && !deviceName.MatchString(m["Device"]):
			return openapi.Errorf(http.StatusForbidden, "InvalidParameter.Malformed", "The specified parameter Device is wrongly formed.")
		case disk.Format == "vmdk":
			// VMDK is in invitational preview. Guess: the code for those who are not invited.
			return openapi.Errorf(http.StatusForbidden, "UserNotInTheWhiteList", "The user is not in the white list of importing image.")
		}
		var err *openapi.Error
		if disk.SizeGiB, err = importSize(m, n); err != nil {
			return err
		}
		i.Disks = append(i.Disks, disk)
	}
	return nil
}

func packed(key string) bool {
	return slices.ContainsFunc(packedSuffixes, func(suffix string) bool { return strings.HasSuffix(strings.ToLower(key), suffix) })
}

// importSize reads DiskImageSize or its older name, in GiB; 0 when neither is given, and the file decides.
func importSize(mapping map[string]string, n int) (int, *openapi.Error) {
	text := mapping["DiskImSize"]
	override(&text, mapping["DiskImageSize"])
	if text == "" {
		return 0, nil
	}
	size, err := strconv.Atoi(text)
	if err != nil || size < 1 || size > maxImportGiB {
		return 0, wrongSize(n)
	}
	return size, nil
}

// wrongSize refuses the size of the disk at the index, from 0.
func wrongSize(n int) *openapi.Error {
	if n == 0 {
		return openapi.Errorf(http.StatusBadRequest, "InvalidImageSize",
			"The specified image size should be in the specified range and not less than the image file.") // Guess: the text.
	}
	return openapi.Errorf(http.StatusBadRequest, "InvalidDataDiskSize",
		"The specified DiskDeviceMapping.N.DiskImSize should be in the specified range.")
}
