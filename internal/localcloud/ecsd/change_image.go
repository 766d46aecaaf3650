package ecsd

import (
	"context"
	"net/http"

	"imageferry/internal/localcloud/openapi"
)

func noSuchImage() *openapi.Error {
	return openapi.Errorf(http.StatusNotFound, "InvalidImageId.NotFound", "The specified ImageId does not exist.")
}

// deleteImage removes an image of the account. Guess: a missing one is an error, because the code is listed for the
// action, although its text says that the request is then ignored; and Force does not help against a running export.
func (s *Server) deleteImage(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	force, err := req.Params.Bool("Force")
	if err != nil {
		return nil, err
	}
	id := req.Params.Get("ImageId")
	if err := s.removeOwn(id, force, dryRun(req.Params)); err != nil {
		return nil, err
	}
	s.stateChanged(id, statusDeleted)
	return &openapi.Header{}, nil
}

// removeOwn removes an image unless something, in the end veto, speaks against it.
func (s *Server) removeOwn(id string, force bool, veto *openapi.Error) *openapi.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	image, err := s.ownImage(id)
	switch {
	case err != nil:
		return err
	case image.importing != nil:
		return imageIsImporting()
	case s.tasks.live(id) != nil:
		return openapi.Errorf(http.StatusForbidden, "ImageIsExporting", "The specified Image is being exported.")
	case image.Public:
		return openapi.Errorf(http.StatusForbidden, "ImageIsPublic", "The specified Image is public.")
	case image.Usage == "instance" && !force:
		return openapi.Errorf(http.StatusForbidden, "ImageUsingByInstance", "The specified Image is used by instances. "+
			"You can use the DescribeInstances API to query these instances, or you can use the force parameter to proceed.")
	case veto != nil:
		return veto
	}
	s.leaveSnapshots(image)
	s.images.remove(id)
	return nil
}

// ownImage finds an image of the account. The caller holds the lock.
func (s *Server) ownImage(id string) (*Image, *openapi.Error) {
	image, ok := s.images.byID[id]
	if !ok || image.OwnerAlias != "self" {
		return nil, noSuchImage()
	}
	return image, nil
}

// tagResources adds tags to images, all of them or none.
func (s *Server) tagResources(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	ids, tags := req.Params.List("ResourceId"), parseTags(req.Params)
	switch {
	case req.Params.Get("ResourceType") != "image":
		return nil, openapi.Invalid("ResourceType") // only images are modelled
	case len(ids) == 0:
		return nil, openapi.Missing("ResourceId.1")
	case len(tags) == 0:
		return nil, openapi.Missing("Tag.1.Key")
	case len(tags) > 20:
		return nil, openapi.Invalid("Tag")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if _, err := s.ownImage(id); err != nil {
			return nil, err
		}
	}
	for _, id := range ids {
		image := s.images.byID[id]
		if image.Tags == nil {
			image.Tags = map[string]string{}
		}
		for _, tag := range tags {
			image.Tags[tag["Key"]] = tag["Value"]
		}
	}
	return &openapi.Header{}, nil
}
