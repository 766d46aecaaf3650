package localcloud_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/export"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/ossd"
)

const (
	home    = "1234567890123456"
	foreign = "2234567890123456"
)

// TestPlaces has two accounts in two regions: each sees its own images and buckets, at its region's endpoint only.
func TestPlaces(t *testing.T) {
	t.Parallel()
	cloud, err := localcloud.Start(localcloud.Options{AccountID: home})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	type owner struct {
		keys  account.Identity
		place *localcloud.Place
		image string
	}
	var owners []owner
	for _, at := range []struct{ region, account string }{{"cn-beijing", home}, {"cn-beijing", foreign}, {"cn-shanghai", foreign}} {
		p, err := cloud.AddPlace(at.region, at.account)
		if err != nil {
			t.Fatal(err)
		}
		name := at.region + "-" + at.account
		if err := cloud.OSS.CreateBucket(ossd.BucketSpec{Name: name, Region: at.region, OwnerID: at.account}); err != nil {
			t.Fatal(err)
		}
		owners = append(owners, owner{p.Directory.PutUser("administrator", account.Administrator()), p, p.ECS.AddImage(ecsd.Image{Name: name})})
	}
	for i, one := range owners {
		s := open(t, one.place, one.keys)
		for k, other := range owners {
			_, found, err := s.ECS.Image(t.Context(), other.image)
			if err != nil || found != (i == k) {
				t.Errorf("%d sees the image of %d: %v (%v)", i, k, found, err)
			}
			_, _, err = s.OSS.Store(other.place.Region+"-"+other.place.Directory.ID()).List(t.Context(), "", "", 1)
			if (err == nil) != (i == k) {
				t.Errorf("%d lists the bucket of %d: %v", i, k, err)
			}
		}
	}
	nowhere := open(t, owners[2].place, owners[0].keys)
	var call *export.CallError
	if _, _, err := nowhere.ECS.Image(t.Context(), owners[2].image); !errors.As(err, &call) || call.Status != http.StatusNotImplemented {
		t.Errorf("an account that is not there: %v", err)
	}
}

func open(t *testing.T, p *localcloud.Place, keys account.Identity) *alicloud.Session {
	t.Helper()
	transport := alicloud.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	s, err := alicloud.Open(alicloud.Options{
		Region: p.Region, AccountID: p.Directory.ID(),
		Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.Secret, SecurityToken: keys.Token}),
		ECSEndpoint: "http://" + p.ECSEndpoint, OSSEndpoint: "http://" + p.OSSEndpoint, HTTP: transport,
		Backoff: alicloud.Backoff{First: time.Millisecond, Max: time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
