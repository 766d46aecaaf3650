package main

import (
	"testing"

	"imageferry/internal/alicloud"
	"imageferry/internal/config"
)

// TestDoctorTargets reaches targets at public endpoints: the function's internal one is out of a person's reach.
func TestDoctorTargets(t *testing.T) {
	t.Parallel()
	c, err := config.Parse(map[string]string{"FERRY_BUCKET": "golden-images", "FERRY_TARGETS": `[
		{"name":"beijing","region":"cn-beijing","bucket":"golden-beijing"},
		{"name":"shop","role":"acs:ram::2234567890123456:role/imageferry-target","externalId":"shop-4f1c2a9be07d","bucket":"shop-golden"}]`})
	if err != nil {
		t.Fatal(err)
	}
	transport := alicloud.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	s := &session{config: c, options: alicloud.Options{
		Region: "cn-hangzhou", OSSEndpoint: "https://oss-cn-hangzhou.aliyuncs.com", HTTP: transport,
		Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: "a", AccessKeySecret: "b"}),
	}}
	targets, err := s.doctorTargets("")
	if err != nil || len(targets) != 2 {
		t.Fatalf("%d targets: %v", len(targets), err)
	}
	for i, want := range []struct{ name, region, endpoint string }{
		{"beijing", "cn-beijing", "https://oss-cn-beijing.aliyuncs.com"}, {"shop", "cn-hangzhou", "https://oss-cn-hangzhou.aliyuncs.com"},
	} {
		got := targets[i]
		if got.Name != want.name || got.Region != want.region || got.Config.OSSEndpoint != want.endpoint || got.Config.Bucket != c.Targets[i].Bucket {
			t.Errorf("got %s in %s at %s, want %+v", got.Name, got.Region, got.Config.OSSEndpoint, want)
		}
	}
}
