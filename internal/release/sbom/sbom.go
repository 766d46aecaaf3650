// Package sbom tells what a Go binary was made of, as a CycloneDX document.
package sbom

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
)

// A Product is what the document is about.
type Product struct {
	Name, Version string
	// Licence is an identifier of SPDX.
	Licence string
	// Artefact is the name of the file that is delivered, and Content its bytes.
	Artefact string
	Content  []byte
}

// Document lists the modules and the standard library that are linked into a binary, as CycloneDX 1.6 in JSON. The same
// input makes the same bytes: it has no time, and its serial number follows from the content.
//
// Go records which modules a binary has, not which of them needs which: all are listed as what the product depends on.
func Document(product Product, binary []byte) ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return nil, fmt.Errorf("read what the binary was built from: %w", err)
	}
	sum := sha256.Sum256(product.Content)
	root := cyclonedx.Component{
		BOMRef:     "product",
		Type:       cyclonedx.ComponentTypeApplication,
		Name:       product.Name,
		Version:    product.Version,
		PackageURL: "pkg:golang/" + info.Main.Path + "@v" + product.Version,
		Licenses:   &cyclonedx.Licenses{{License: &cyclonedx.License{ID: product.Licence}}},
		Hashes:     &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
		Properties: &[]cyclonedx.Property{{Name: "imageferry:artefact", Value: product.Artefact}},
	}
	bom := cyclonedx.NewBOM()
	bom.SerialNumber = serial(sum)
	bom.Metadata = &cyclonedx.Metadata{
		Component:  &root,
		Properties: settings(info.Settings),
	}
	components := []cyclonedx.Component{standardLibrary(info.GoVersion)}
	for _, module := range info.Deps {
		components = append(components, component(module))
	}
	refs := make([]string, len(components))
	dependencies := []cyclonedx.Dependency{{Ref: root.BOMRef, Dependencies: &refs}}
	for i, c := range components {
		refs[i] = c.BOMRef
		dependencies = append(dependencies, cyclonedx.Dependency{Ref: c.BOMRef})
	}
	bom.Components, bom.Dependencies = &components, &dependencies

	var out bytes.Buffer
	encoder := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	if err := encoder.EncodeVersion(bom, cyclonedx.SpecVersion1_6); err != nil {
		return nil, fmt.Errorf("encode the document: %w", err)
	}
	return out.Bytes(), nil
}

func component(module *debug.Module) cyclonedx.Component {
	if module.Replace != nil {
		module = module.Replace
	}
	url := "pkg:golang/" + module.Path + "@" + strings.ReplaceAll(module.Version, "+", "%2B")
	c := cyclonedx.Component{BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: module.Path, Version: module.Version, PackageURL: url}
	if module.Sum != "" {
		// Not one of CycloneDX's hashes: it is a hash over the files of the module, as go.sum has it.
		c.Properties = &[]cyclonedx.Property{{Name: "go:sum", Value: module.Sum}}
	}
	return c
}

func standardLibrary(goVersion string) cyclonedx.Component {
	version, _, _ := strings.Cut(strings.TrimPrefix(goVersion, "go"), " ")
	url := "pkg:golang/std@" + version
	return cyclonedx.Component{BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: "std", Version: version, PackageURL: url}
}

// settings are those that the binary was compiled with.
func settings(all []debug.BuildSetting) *[]cyclonedx.Property {
	var properties []cyclonedx.Property
	for _, s := range all {
		properties = append(properties, cyclonedx.Property{Name: "go:build:" + s.Key, Value: s.Value})
	}
	return &properties
}

// serial is a UUID of version 8, whose bits are free to choose, made of a hash.
func serial(sum [sha256.Size]byte) string {
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
