package alicloud

import "imageferry/internal/export"

// Cloud is the session as the domain uses it, with the manifests in a bucket.
func (s *Session) Cloud(manifestBucket string) export.Cloud {
	return export.Cloud{Images: s.ECS, Tasks: s.ECS, Objects: s.OSS, Store: s.OSS.Store(manifestBucket)}
}
