package ossd

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
)

// listTime is the format of times in XML answers.
const listTime = "2006-01-02T15:04:05.000Z"

type ownerXML struct {
	ID          string `xml:"ID"`
	DisplayName string `xml:"DisplayName"`
}

type bucketInfoXML struct {
	XMLName xml.Name `xml:"BucketInfo"`
	Bucket  struct {
		Name                   string   `xml:"Name"`
		Location               string   `xml:"Location"`
		CreationDate           string   `xml:"CreationDate"`
		ExtranetEndpoint       string   `xml:"ExtranetEndpoint"`
		IntranetEndpoint       string   `xml:"IntranetEndpoint"`
		StorageClass           string   `xml:"StorageClass"`
		DataRedundancyType     string   `xml:"DataRedundancyType"`
		Owner                  ownerXML `xml:"Owner"`
		Grant                  string   `xml:"AccessControlList>Grant"`
		Versioning             string   `xml:"Versioning,omitempty"` // absent when never versioned
		SSEAlgorithm           string   `xml:"ServerSideEncryptionRule>SSEAlgorithm"`
		AccessMonitor          string   `xml:"AccessMonitor"`
		TransferAcceleration   string   `xml:"TransferAcceleration"`
		CrossRegionReplication string   `xml:"CrossRegionReplication"`
		Comment                string   `xml:"Comment"`
	} `xml:"Bucket"`
}

// noEncryption is what OSS answers as the algorithm of a bucket without encryption rule.
const noEncryption = "None"

func (s *Server) getBucketInfo(r *request) (answer, *Error) {
	spec := r.target.settings()
	var info bucketInfoXML
	b := &info.Bucket
	b.Name, b.Location, b.StorageClass = spec.Name, "oss-"+spec.Region, spec.StorageClass
	b.CreationDate = r.target.created.Format(listTime)
	b.ExtranetEndpoint, b.IntranetEndpoint = endpointOf(spec.Region), endpointOf(spec.Region+"-internal")
	b.DataRedundancyType = "LRS"
	b.Owner = ownerXML{spec.OwnerID, spec.OwnerID}
	b.Grant, b.Versioning = spec.ACL, spec.Versioning
	b.SSEAlgorithm = spec.SSEAlgorithm
	if b.SSEAlgorithm == "" {
		b.SSEAlgorithm = noEncryption
	}
	b.AccessMonitor, b.TransferAcceleration, b.CrossRegionReplication = "Disabled", "Disabled", "Disabled"
	return newAnswer(http.StatusOK).withXML(info), nil
}

// spec reads the answer back, for callers in process.
func (info bucketInfoXML) spec() BucketSpec {
	b := info.Bucket
	spec := BucketSpec{
		Name: b.Name, Region: strings.TrimPrefix(b.Location, "oss-"), OwnerID: b.Owner.ID, ACL: b.Grant,
		Versioning: b.Versioning, SSEAlgorithm: b.SSEAlgorithm, StorageClass: b.StorageClass,
	}
	if spec.SSEAlgorithm == noEncryption {
		spec.SSEAlgorithm = ""
	}
	return spec
}

func (s *Server) getBucketLocation(r *request) (answer, *Error) {
	return newAnswer(http.StatusOK).withXML(struct {
		XMLName  xml.Name `xml:"http://doc.oss-cn-hangzhou.aliyuncs.com LocationConstraint"`
		Location string   `xml:",chardata"`
	}{Location: "oss-" + r.target.settings().Region}), nil
}

// putBucket creates a bucket of the caller in the endpoint's region. Creating one's own bucket again succeeds and changes
// nothing but its ACL, if one is given.
func (s *Server) putBucket(r *request) (answer, *Error) {
	var config struct {
		XMLName            xml.Name `xml:"CreateBucketConfiguration"`
		StorageClass       string   `xml:"StorageClass"`
		DataRedundancyType string   `xml:"DataRedundancyType"`
	}
	if r.body.Size() > 0 {
		if err := xml.Unmarshal(r.body.Bytes(), &config); err != nil {
			return answer{}, malformedXML()
		}
	}
	acl := r.header.Get("x-oss-acl")
	spec := s.withDefaults(BucketSpec{
		Name: r.bucket, OwnerID: r.identity.AccountID, ACL: acl, StorageClass: config.StorageClass,
	})
	if err := spec.validate(); err != nil {
		return answer{}, err
	}
	if !s.add(spec) {
		b := s.lookup(r.bucket)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.spec.OwnerID != spec.OwnerID || b.spec.Region != spec.Region {
			return answer{}, bucketAlreadyExists(r.bucket)
		}
		if acl != "" {
			b.spec.ACL = acl
		}
	}
	a := newAnswer(http.StatusOK)
	a.header.Set("Location", "/"+r.bucket)
	return a, nil
}

type bucketXML struct {
	Name             string `xml:"Name"`
	Location         string `xml:"Location"`
	Region           string `xml:"Region"`
	CreationDate     string `xml:"CreationDate"`
	ExtranetEndpoint string `xml:"ExtranetEndpoint"`
	IntranetEndpoint string `xml:"IntranetEndpoint"`
	StorageClass     string `xml:"StorageClass"`
}

// listBuckets lists the caller's buckets of all regions, by name.
func (s *Server) listBuckets(r *request) (answer, *Error) {
	limit, err := maxKeys(r.query)
	if err != nil {
		return answer{}, err
	}
	prefix, marker := r.query.Get("prefix"), r.query.Get("marker")
	type page struct {
		XMLName     xml.Name    `xml:"ListAllMyBucketsResult"`
		Prefix      string      `xml:"Prefix,omitempty"`
		Marker      string      `xml:"Marker,omitempty"`
		MaxKeys     int         `xml:"MaxKeys"`
		IsTruncated bool        `xml:"IsTruncated"`
		NextMarker  string      `xml:"NextMarker,omitempty"`
		Owner       ownerXML    `xml:"Owner"`
		Buckets     []bucketXML `xml:"Buckets>Bucket"`
	}
	owner := r.identity.AccountID
	result := page{Prefix: prefix, Marker: marker, MaxKeys: limit, Owner: ownerXML{owner, owner}}
	for _, b := range s.bucketsOf(owner) {
		if !strings.HasPrefix(b.Name, prefix) || b.Name <= marker {
			continue
		}
		if len(result.Buckets) == limit {
			result.IsTruncated, result.NextMarker = true, result.Buckets[limit-1].Name
			break
		}
		result.Buckets = append(result.Buckets, b)
	}
	return newAnswer(http.StatusOK).withXML(result), nil
}

func (s *Server) bucketsOf(owner string) []bucketXML {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []bucketXML
	for _, b := range s.buckets {
		spec := b.settings()
		if spec.OwnerID != owner {
			continue
		}
		list = append(list, bucketXML{
			Name: spec.Name, Location: "oss-" + spec.Region, Region: spec.Region, CreationDate: b.created.Format(listTime),
			ExtranetEndpoint: endpointOf(spec.Region), IntranetEndpoint: endpointOf(spec.Region + "-internal"),
			StorageClass: spec.StorageClass,
		})
	}
	slices.SortFunc(list, func(a, b bucketXML) int { return strings.Compare(a.Name, b.Name) })
	return list
}
