package ecsd

import (
	"context"
	"net/http"
	"slices"

	"imageferry/internal/localcloud/openapi"
)

// modifyImageAttribute changes what describes an image; an empty parameter keeps what is there. The platform reports
// every such change as a change of the image's state.
func (s *Server) modifyImageAttribute(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	if err := checkAttributes(req.Params); err != nil {
		return nil, err
	}
	if err := dryRun(req.Params); err != nil {
		return nil, err
	}
	status, err := s.modify(req.Params)
	if err != nil {
		return nil, err
	}
	s.stateChanged(req.Params.Get("ImageId"), status)
	return &openapi.Header{}, nil
}

// checkAttributes judges the parameters alone. Guess: the codes of the boot mode, the family and the license, which are
// documented for other actions or not at all.
func checkAttributes(p openapi.Params) *openapi.Error {
	status := p.Get("Status")
	switch {
	case status != "" && status != StatusAvailable && status != StatusDeprecated:
		return openapi.Invalid("Status")
	case !validName(p.Get("ImageName")):
		return malformed("InvalidImageName", "The specified Image name is wrongly formed.")
	case !validDescription(p.Get("Description")):
		return malformed("InvalidDescription", "The specified description is wrongly formed.")
	case p.Get("ImageFamily") != "" && !importName.MatchString(p.Get("ImageFamily")), !validName(p.Get("ImageFamily")):
		return malformed("InvalidImageFamily", "The specified ImageFamily is wrongly formed.")
	case !slices.Contains([]string{"", "BIOS", "UEFI", "UEFI-Preferred"}, p.Get("BootMode")):
		return malformed("InvalidBootMode", "The specified BootMode is wrongly formed.")
	case p.Get("LicenseType") != "" && p.Get("LicenseType") != "BYOL":
		return openapi.Errorf(http.StatusBadRequest, "InvalidLicenseType.BYOLOnly", "The specified LicenseType can only be BYOL.")
	}
	return checkImportFeatures(p, &Image{})
}

// modify applies the parameters and returns the state that the image has then. Guess: an image that is being imported cannot
// be changed yet.
func (s *Server) modify(p openapi.Params) (string, *openapi.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	image, err := s.ownImage(p.Get("ImageId"))
	if err != nil {
		return "", err
	}
	settled := image.Status == StatusAvailable || image.Status == StatusDeprecated
	if !settled && (p.Get("Status") != "" || image.importing != nil) {
		return "", openapi.Errorf(http.StatusForbidden, "IncorrectImageStatus",
			"The current status of the resource does not support this operation.")
	}
	if image.ImdsV2 && p.Get("Features.ImdsSupport") == "v1" {
		return "", openapi.Errorf(http.StatusBadRequest, "InvalidParameter.FeaturesImdsSupport",
			"The specified parameter Features.ImdsSupport cannot be changed from v2 to v1.") // Guess: code and text; the rule is documented.
	}
	for name, field := range map[string]*string{"ImageName": &image.Name, "Description": &image.Description,
		"ImageFamily": &image.Family, "BootMode": &image.BootMode, "Status": &image.Status} {
		override(field, p.Get(name))
	}
	image.NvmeSupport = p.Get("Features.NvmeSupport") == "supported" || image.NvmeSupport && p.Get("Features.NvmeSupport") == ""
	image.ImdsV2 = image.ImdsV2 || p.Get("Features.ImdsSupport") == "v2"
	return image.Status, nil
}
