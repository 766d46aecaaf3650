package ossd

import "fmt"

// authorise decides whether the request may be applied: the bucket exists, it is addressed through its own region's
// endpoint, and its owner and RAM let the caller in.
func (s *Server) authorise(r *request) *Error {
	if !r.op.bucketless {
		r.target = s.lookup(r.bucket)
		if r.target == nil {
			return noSuchBucket(r.bucket)
		}
		if spec := r.target.settings(); spec.Region != s.endpointRegion(r.host) && !r.op.anyEndpoint {
			err := accessDenied("The bucket you are attempting to access must be addressed using the specified endpoint. "+
				"Please send all future requests to this endpoint.", "")
			err.Bucket, err.Endpoint = spec.Name, endpointOf(spec.Region)
			return err
		}
	}
	switch {
	case s.permitted(r):
		return nil
	case r.key != "":
		return accessDenied("You have no right to access this object because of bucket acl.", "0003-00000001")
	case r.identity.ARN == "":
		return accessDenied("Anonymous access is forbidden for this operation.", "") // Guess: message
	}
	// OSS's tools report a missing oss:GetBucketInfo in these words. Guess: so do the other operations on buckets.
	return accessDenied("The bucket you access does not belong to you.", "0003-00000001")
}

// permitted tells whether the caller is let in. A bucket's ACL opens its objects to anonymous callers and, together with
// RAM, to other accounts. It does not help an identity of the owner's account, which is stricter than OSS: there a public
// bucket can be read without any permission, which would hide what a role's policy lacks.
func (s *Server) permitted(r *request) bool {
	public := r.target != nil && r.target.settings().opens(r.op.access)
	if r.identity.ARN == "" {
		return public
	}
	if r.target != nil && r.target.settings().OwnerID != r.identity.AccountID && !public {
		return false
	}
	return s.dir.Allowed(r.identity, r.op.action, s.resource(r), map[string]string{
		"oss:Prefix":          r.query.Get("prefix"),
		"oss:Delimiter":       r.query.Get("delimiter"),
		"acs:SecureTransport": fmt.Sprint(r.secure),
	})
}

// resource is what the request acts on, in RAM's notation.
func (s *Server) resource(r *request) string {
	owner := s.dir.ID()
	if b := s.lookup(r.bucket); b != nil {
		owner = b.settings().OwnerID
	}
	name := r.bucket
	if name == "" {
		name = "*"
	}
	if r.key != "" {
		name += "/" + r.key
	}
	return fmt.Sprintf("acs:oss:oss-%s:%s:%s", s.regionOf(r.bucket), owner, name)
}

// opens tells whether the bucket's ACL grants the right to everyone. Guess: listing is never part of it.
func (b BucketSpec) opens(right access) bool {
	switch right {
	case readObject:
		return b.ACL != aclPrivate
	case writeObject:
		return b.ACL == aclPublicReadWrite
	}
	return false
}
