package diskfile_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/diskfile"
)

// disks have every kind of place for their data.
func disks() map[string]content.Content {
	noise := func(n int) content.Content {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(i*i>>3 | 1)
		}
		return content.Of(data)
	}
	return map[string]content.Content{
		"empty":        content.Zeros(1 << 20),
		"tiny":         noise(4 << 10),
		"full":         noise(5 << 20),
		"odd end":      content.Join(content.Zeros(3<<20), noise(512*3)),
		"islands":      content.Join(noise(512), content.Zeros(96<<20-512), noise(70_000&^511), content.Zeros(100<<20), noise(512)),
		"twenty GiB":   content.Join(noise(1<<20), content.Zeros(20<<30-2<<20), noise(1<<20)),
		"two TiB less": content.Join(noise(512), content.Zeros(2047<<30), noise(512)),
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, disk := range disks() {
		for _, format := range []string{diskfile.Raw, diskfile.QCOW2, diskfile.VHD} {
			t.Run(name+" "+format, func(t *testing.T) {
				t.Parallel()
				file, err := diskfile.Encode(format, disk)
				if err != nil {
					t.Fatal(err)
				}
				if again, _ := diskfile.Encode(format, disk); !content.Equal(file, again) {
					t.Error("the second file differs")
				}
				if format != diskfile.Raw && file.Size() > 64<<20+disk.Size()/1000 {
					t.Errorf("a file of %d bytes", file.Size())
				}
				for _, declared := range []string{format, ""} {
					back, found, err := diskfile.Decode(declared, file)
					if err != nil || found != format || !content.Equal(back, disk) {
						t.Errorf("declared %q: %s of %d bytes, want %d (%v)", declared, found, back.Size(), disk.Size(), err)
					}
				}
			})
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	disk := disks()["full"]
	encode := func(format string) content.Content {
		file, err := diskfile.Encode(format, disk)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	without := func(file content.Content, n int64) content.Content { return file.Slice(0, file.Size()-n) }
	patch := func(file content.Content, at int, value uint32) content.Content {
		data := file.Bytes()
		binary.BigEndian.PutUint32(data[at:], value)
		return content.Of(data)
	}
	archive, err := diskfile.Pack("disk.raw", disk)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		format string
		file   content.Content
		want   error
	}{
		"raw that is an archive":     {diskfile.Raw, archive, diskfile.ErrFormat},
		"raw that is qcow2":          {diskfile.Raw, encode(diskfile.QCOW2), diskfile.ErrFormat},
		"raw that is vhd":            {diskfile.Raw, encode(diskfile.VHD), diskfile.ErrFormat},
		"raw without the end":        {diskfile.Raw, without(disk, 1), diskfile.ErrTruncated},
		"qcow2 that is raw":          {diskfile.QCOW2, disk, diskfile.ErrFormat},
		"qcow2 without the end":      {diskfile.QCOW2, without(encode(diskfile.QCOW2), 100), diskfile.ErrTruncated},
		"qcow2 without tables":       {diskfile.QCOW2, encode(diskfile.QCOW2).Slice(0, 64<<10), diskfile.ErrTruncated},
		"qcow2 without header":       {diskfile.QCOW2, encode(diskfile.QCOW2).Slice(0, 50), diskfile.ErrTruncated},
		"qcow2 with a backing file":  {diskfile.QCOW2, patch(encode(diskfile.QCOW2), 12, 600), diskfile.ErrUnsupported},
		"qcow2 that is encrypted":    {diskfile.QCOW2, patch(encode(diskfile.QCOW2), 32, 2), diskfile.ErrUnsupported},
		"qcow2 of the next version":  {diskfile.QCOW2, patch(encode(diskfile.QCOW2), 4, 4), diskfile.ErrUnsupported},
		"qcow2 with a short table":   {diskfile.QCOW2, patch(encode(diskfile.QCOW2), 36, 0), diskfile.ErrFormat},
		"qcow2 with odd clusters":    {diskfile.QCOW2, patch(encode(diskfile.QCOW2), 20, 40), diskfile.ErrFormat},
		"vhd without the end":        {diskfile.VHD, without(encode(diskfile.VHD), 512), diskfile.ErrTruncated},
		"vhd with a damaged header":  {diskfile.VHD, patch(encode(diskfile.VHD), 512+28, 7), diskfile.ErrFormat},
		"an archive of unknown kind": {"", archive, diskfile.ErrUnsupported},
		"vmdk":                       {diskfile.VMDK, encode(diskfile.VMDK), diskfile.ErrUnsupported},
		"vdi that nobody declared":   {"", encode(diskfile.VDI), diskfile.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := diskfile.Decode(tc.format, tc.file); !errors.Is(err, tc.want) {
				t.Errorf("error is %v, want %v", err, tc.want)
			}
		})
	}
}

// An archive is an ordinary one: one gzip member, one regular file.
func TestPack(t *testing.T) {
	t.Parallel()
	for name, disk := range disks() {
		if disk.Size() > 1<<30 {
			continue // takes as long to read as any reader of 20 GiB
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, err := diskfile.Pack("disk.raw", disk)
			if err != nil {
				t.Fatal(err)
			}
			unzipped, err := gzip.NewReader(archive.Reader())
			if err != nil {
				t.Fatal(err)
			}
			unzipped.Multistream(false)
			files := tar.NewReader(unzipped)
			header, err := files.Next()
			if err != nil || header.Typeflag != tar.TypeReg || header.Name != "disk.raw" || header.Size != disk.Size() {
				t.Fatalf("%+v %v", header, err)
			}
			var w content.Writer
			if _, err := io.Copy(&w, files); err != nil || !content.Equal(w.Content(), disk) {
				t.Errorf("the file differs (%v)", err)
			}
			if _, err := files.Next(); err != io.EOF {
				t.Errorf("another file: %v", err)
			}
			if _, err := io.Copy(io.Discard, unzipped); err != nil {
				t.Errorf("the checksum: %v", err)
			}
		})
	}
}

// Packing 2 TiB takes no time: only what is read of it does.
func TestPackOfALongDisk(t *testing.T) {
	t.Parallel()
	archive, err := diskfile.Pack("disk.raw", disks()["two TiB less"])
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(archive.Reader())
	if err != nil {
		t.Fatal(err)
	}
	if header, err := tar.NewReader(unzipped).Next(); err != nil || header.Size != 2047<<30+1024 {
		t.Errorf("%+v %v", header, err)
	}
}

// Where QEMU is installed, it agrees that the files are what they should be.
func TestQEMUAgrees(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Skip("qemu-img is not installed")
	}
	for _, name := range []string{"tiny", "full", "odd end"} {
		disk := disks()[name]
		for format, driver := range map[string]string{diskfile.QCOW2: "qcow2", diskfile.VHD: "vpc"} {
			dir := t.TempDir()
			file, err := diskfile.Encode(format, disk)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "disk")
			if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			raw := filepath.Join(dir, "raw")
			commands := [][]string{{"convert", "-f", driver, "-O", "raw", path, raw}}
			if format == diskfile.QCOW2 {
				commands = append(commands, []string{"check", "-f", driver, path})
			}
			for _, arguments := range commands {
				if text, err := exec.CommandContext(t.Context(), tool, arguments...).CombinedOutput(); err != nil {
					t.Errorf("%s %s: %v %s", name, format, err, text)
				}
			}
			if err := sameFile(raw, disk); err != nil {
				t.Errorf("%s %s: %v", name, format, err)
			}
			theirs := filepath.Join(dir, "theirs")
			if text, err := exec.CommandContext(t.Context(), tool, "convert", "-f", "raw", "-O", driver, raw, theirs).CombinedOutput(); err != nil {
				t.Fatalf("%s", text)
			}
			back, err := os.ReadFile(theirs)
			if err != nil {
				t.Fatal(err)
			}
			if got, _, err := diskfile.Decode(format, content.Of(back)); err != nil || !content.Equal(got.Slice(0, disk.Size()), disk) {
				t.Errorf("%s %s of QEMU: %v", name, format, err)
			}
		}
	}
}

func sameFile(path string, want content.Content) error {
	f, err := os.Open(path) // #nosec G304 -- a file of the test
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var w content.Writer
	if _, err := io.Copy(&w, f); err != nil {
		return err
	}
	got := w.Content()
	if got.Size() < want.Size() || !content.Equal(got.Slice(0, want.Size()), want) {
		return fmt.Errorf("%d bytes differ from %d", got.Size(), want.Size())
	}
	return nil
}

// FuzzDecode changes what leads a reader through a file, its first and last sectors.
func FuzzDecode(f *testing.F) {
	disk := content.Join(content.Of([]byte("x")), content.Zeros(1<<20-1))
	for _, format := range []string{diskfile.QCOW2, diskfile.VHD} {
		file, err := diskfile.Encode(format, disk)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file.Slice(0, 2048).Bytes(), file.Slice(file.Size()-512, file.Size()).Bytes())
	}
	f.Fuzz(func(t *testing.T, head, tail []byte) {
		file := content.Join(content.Of(head), content.Zeros(4<<20), content.Of(tail))
		if disk, _, err := diskfile.Decode("", file); err != nil && disk.Size() != 0 {
			t.Errorf("a disk of %d bytes with %v", disk.Size(), err)
		}
	})
}
