package pack

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestZipIsTheLayoutOfGo1(t *testing.T) {
	t.Parallel()
	binary := bytes.Repeat([]byte("\x7fELF and so on "), 1000)
	content, err := Zip(binary)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.File) != 1 {
		t.Fatalf("%d files, want the binary alone", len(archive.File))
	}
	file := archive.File[0]
	const sizesFollow = 0x8
	switch {
	case file.Name != "main":
		t.Errorf("the file is %q", file.Name)
	case file.Mode() != 0o755:
		t.Errorf("its mode is %v", file.Mode())
	case file.Flags&sizesFollow != 0:
		t.Error("its sizes are not in its header")
	case !file.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) || len(file.Extra) != 0:
		t.Errorf("its time is %v, with %d bytes more about it", file.Modified, len(file.Extra))
	}
	r, err := file.Open()
	if err != nil {
		t.Fatal(err)
	}
	if unpacked, err := io.ReadAll(r); err != nil || !bytes.Equal(unpacked, binary) {
		t.Errorf("unpacked %d bytes of %d: %v", len(unpacked), len(binary), err)
	}
	if again, err := Zip(binary); err != nil || !bytes.Equal(again, content) {
		t.Errorf("the same binary made another zip: %v", err)
	}
}

func TestZipRefusesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	noise := make([]byte, MaxBytes+1) // it does not compress
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	_, err := Zip(noise)
	var tooLarge *TooLargeError
	if !errors.As(err, &tooLarge) || tooLarge.Bytes <= MaxBytes || !strings.Contains(err.Error(), "4000000") {
		t.Errorf("the error is %v", err)
	}
}

func TestEnvironmentDecidesNothing(t *testing.T) {
	t.Parallel()
	own := []string{"PATH=/bin", "CGO_CFLAGS=-O3", "GOFLAGS=-tags=x", "GOOS=plan9", "GOAMD64=v3", "GOEXPERIMENT=arenas", "GOPROXY=off"}
	env := environment(own, FunctionCompute)
	last := map[string]string{} // what counts
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		last[name] = value
	}
	for name, want := range map[string]string{
		"PATH": "/bin", "GOPROXY": "off", "GOFLAGS": "", "GOOS": "linux", "GOARCH": "amd64", "GOAMD64": "v1", "GOEXPERIMENT": "",
		"CGO_ENABLED": "0", "GOWORK": "off",
	} {
		if got := last[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if slices.Contains(env, "CGO_CFLAGS=-O3") {
		t.Error("flags of the C compiler are left")
	}
}
