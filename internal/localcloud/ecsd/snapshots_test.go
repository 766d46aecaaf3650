package ecsd_test

import (
	"slices"
	"testing"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
)

// Deleting an image leaves its snapshots behind, which are deleted one by one, and not before.
func TestDeletedImagesLeaveSnapshots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.AddImage(ecsd.Image{ID: "m-1", Disks: []ecsd.Disk{
		{Device: "/dev/xvda", Type: "system", SizeGiB: 40, SnapshotID: "s-1"}, {Device: "/dev/xvdb", Type: "data", SizeGiB: 20, SnapshotID: "s-2"},
	}})
	w.fails(400, "MissingParameter", "DeleteSnapshot")
	w.fails(403, "SnapshotCreatedImage", "DeleteSnapshot", "SnapshotId", "s-1", "Force", "true")
	w.fails(404, "InvalidSnapshotId.NotFound", "DeleteSnapshot", "SnapshotId", "s-3")
	w.do("DeleteImage", "ImageId", "m-1")
	if left := w.server.LeftSnapshots(); !slices.Equal(left, []string{"s-1", "s-2"}) {
		t.Errorf("left %q", left)
	}
	w.do("DeleteSnapshot", "SnapshotId", "s-1")
	w.fails(404, "InvalidSnapshotId.NotFound", "DeleteSnapshot", "SnapshotId", "s-1")
	if left := w.server.LeftSnapshots(); !slices.Equal(left, []string{"s-2"}) {
		t.Errorf("left %q", left)
	}
	w.caller = w.dir.PutUser("narrow", account.Policy{Version: "1", Statement: []account.Statement{{
		Effect: "Allow", Action: account.Strings{"ecs:DeleteSnapshot"}, Resource: account.Strings{"acs:ecs:cn-hangzhou:" + accountID + ":snapshot/s-1"},
	}}})
	w.fails(403, "Forbidden.RAM", "DeleteSnapshot", "SnapshotId", "s-2")
}
