package ecsd

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"imageferry/internal/localcloud/openapi"
)

// deleteSnapshot removes a snapshot that a deleted image has left behind. "Snapshots contained in the image are not deleted"
// with it, and go on to cost. Only the snapshots of images are modelled.
//
// Guess: an image needs its snapshots until it is deleted, whatever Force says: the texts know of Force for disks alone.
func (s *Server) deleteSnapshot(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	if _, err := req.Params.Bool("Force"); err != nil {
		return nil, err
	}
	id := req.Params.Get("SnapshotId")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, image := range s.images.byID {
		if image.OwnerAlias == "self" && slices.ContainsFunc(image.Disks, func(d Disk) bool { return d.SnapshotID == id }) {
			return nil, openapi.Errorf(http.StatusForbidden, "SnapshotCreatedImage",
				"The snapshot has been used to create image, please delete the image first.") // Guess: the text.
		}
	}
	if !s.snapshots[id] {
		return nil, openapi.Errorf(http.StatusNotFound, "InvalidSnapshotId.NotFound", "The specified SnapshotId does not exist.")
	}
	delete(s.snapshots, id)
	return &openapi.Header{}, nil
}

// leaveSnapshots keeps what an image leaves behind. The caller holds the lock.
func (s *Server) leaveSnapshots(image *Image) {
	for _, d := range image.Disks {
		if d.SnapshotID != "" {
			s.snapshots[d.SnapshotID] = true
		}
	}
}

// LeftSnapshots are the ids of the snapshots of deleted images, in order.
func (s *Server) LeftSnapshots() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.snapshots))
}

func (s *Server) oneSnapshot(req *openapi.Request) []string {
	return []string{s.arn("snapshot/" + req.Params.Get("SnapshotId"))}
}
