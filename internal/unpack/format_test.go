package unpack_test

import (
	"archive/tar"
	"testing"

	"imageferry/internal/unpack"
)

func TestFormatsByTheirBytes(t *testing.T) {
	t.Parallel()
	wrongSum := vhdFooter()
	wrongSum[64] ^= 1
	boot := make([]byte, 1024)
	copy(boot[257:], "ustar") // a boot sector may hold any text
	archive := tarball(t, entry{header: tar.Header{Name: "x", Typeflag: tar.TypeSymlink}})
	for name, c := range map[string]struct {
		head, tail string
		want       unpack.Format
		useless    string
	}{
		"nothing":             {"", "", unpack.FormatRAW, ""},
		"text":                {"hello", "hello", unpack.FormatRAW, ""},
		"boot sector":         {string(boot), "", unpack.FormatRAW, ""},
		"tar":                 {string(archive), "", unpack.FormatTar, ""},
		"gzip":                {"\x1f\x8b\x08\x00", "", unpack.FormatTarGzip, ""},
		"QCOW2":               {"QFI\xfb\x00\x00\x00\x02", "", unpack.FormatQCOW2, ""},
		"QCOW2 3":             {"QFI\xfb\x00\x00\x00\x03", "", unpack.FormatQCOW2, ""},
		"QCOW1":               {"QFI\xfb\x00\x00\x00\x01", "", "", "QCOW of an unknown version"},
		"QCOW cut":            {"QFI\xfb", "", "", "QCOW of an unknown version"},
		"VMDK":                {"KDMV", "", unpack.FormatVMDK, ""},
		"dynamic VHD":         {"conectix", "", unpack.FormatVHD, ""},
		"fixed VHD":           {"\x00\x00", string(vhdFooter()), unpack.FormatVHD, ""},
		"footer, wrong sum":   {"\x00\x00", string(wrongSum), unpack.FormatRAW, ""},
		"footer, cut":         {"\x00\x00", string(vhdFooter()[:511]), unpack.FormatRAW, ""},
		"VMDK without data":   {"# Disk DescriptorFile\nversion=1", "", "", "VMDK descriptor without its data"},
		"bzip2":               {"BZh9\x31\x41\x59\x26\x53\x59", "", "", "bzip2"},
		"zstd":                {"\x28\xb5\x2f\xfd", "", "", "zstd"},
		"beginning of a name": {"vhdx", "", unpack.FormatRAW, ""},
	} {
		got, useless := unpack.Detect([]byte(c.head), []byte(c.tail))
		if got != c.want || useless != c.useless {
			t.Errorf("%s: %q %q, not %q %q", name, got, useless, c.want, c.useless)
		}
	}
}
