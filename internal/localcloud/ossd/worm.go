package ossd

import (
	"encoding/xml"
	"net/http"
	"time"
)

// getBucketWorm answers the bucket's retention policy, which in this service is always locked.
func (s *Server) getBucketWorm(r *request) (answer, *Error) {
	spec := r.target.settings()
	if spec.RetentionDays == 0 {
		// That the status is 404 is documented. Guess: code and message.
		return answer{}, &Error{Status: http.StatusNotFound, Code: "NoSuchWORMConfiguration",
			Message: "The WORM Configuration does not exist."}
	}
	return newAnswer(http.StatusOK).withXML(struct {
		XMLName               xml.Name `xml:"WormConfiguration"`
		WormID                string   `xml:"WormId"`
		State                 string   `xml:"State"`
		RetentionPeriodInDays int      `xml:"RetentionPeriodInDays"`
		CreationDate          string   `xml:"CreationDate"`
	}{WormID: "1666E2CFB2B3418F9D2B", State: "Locked", RetentionPeriodInDays: spec.RetentionDays,
		CreationDate: r.target.created.Format(listTime)}), nil
}

// retained refuses to overwrite or delete an object within the bucket's retention period. The caller holds the lock.
func (b *bucket) retained(key string) *Error {
	o := b.objects.get(key)
	if o == nil || b.spec.RetentionDays == 0 || now().After(o.modified.Add(time.Duration(b.spec.RetentionDays)*24*time.Hour)) {
		return nil
	}
	return &Error{Status: http.StatusConflict, Code: "FileImmutable", Message: "The object you specified is immutable."}
}
