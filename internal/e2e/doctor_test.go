package e2e

import (
	"net/http"
	"strings"
	"testing"

	"imageferry/internal/alicloud"
	"imageferry/internal/config"
	"imageferry/internal/doctor"
	"imageferry/internal/manifest"
)

// The doctor finds nothing wrong with what was deployed as it is, and has exported an image.
func TestTheDoctorIsContent(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{})
	id := d.createImage(t)
	d.wait(t, id, manifest.Exported)
	environ := d.spec.Environment
	layout := manifest.Layout(d.PolicyVars(d.spec).ManifestPrefix)
	index := manifest.NewIndex(d.store, layout)
	d.until(t, "both timers have left a trace", func() bool {
		beats, err := index.Heartbeats(t.Context())
		return err == nil && len(beats) == 2
	})
	c, err := config.Parse(environ)
	if err != nil {
		t.Fatal(err)
	}
	options := alicloud.Options{
		Region: d.Region,
		Credentials: alicloud.Static(alicloud.Credentials{
			AccessKeyID: d.Administrator.AccessKeyID, AccessKeySecret: d.Administrator.Secret,
		}),
		ECSEndpoint: "http://" + d.Endpoints.ECS,
		OSSEndpoint: "http://" + d.Endpoints.OSS,
		HTTP:        http.DefaultTransport,
	}
	session, err := alicloud.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := alicloud.OpenAccount(options, "http://"+d.Endpoints.STS, "http://"+d.Endpoints.RAM)
	if err != nil {
		t.Fatal(err)
	}
	report, err := doctor.New(doctor.Cloud{
		Identities: accounts, Roles: accounts, Compute: session.ECS, Storage: session.OSS, Store: session.OSS.Store(c.ManifestBucket),
	}, doctor.Options{Region: d.Region, Config: c, Deep: true, WriteProbe: true}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Problems > 0 || report.Unknown > 0 {
		var text strings.Builder
		_ = report.WriteText(&text)
		t.Errorf("it is not content:\n%s", text.String())
	}
}
