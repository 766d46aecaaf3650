package openapi

import (
	"net/http"
	"net/url"
	"testing"
)

// The platform's documentation prints these signatures.
func TestDocumentedSignatures(t *testing.T) {
	t.Parallel()
	rpc := url.Values{
		"Timestamp": {"2016-02-23T12:46:24Z"}, "Format": {"XML"}, "AccessKeyId": {"testid"}, "Action": {"DescribeRegions"},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureNonce": {"3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"},
		"Version": {"2014-05-26"}, "SignatureVersion": {"1.0"},
	}
	if got := rpcSignature("testsecret", rpcStringToSign(http.MethodGet, rpc)); got != "OLeaidS1JvxuMvnyHOwuJ+uX5qY=" {
		t.Errorf("RPC: %s", got)
	}
	r, err := http.NewRequest(http.MethodPost, "http://ecs.cn-shanghai.aliyuncs.com/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai", nil)
	if err != nil {
		t.Fatal(err)
	}
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for name, value := range map[string]string{"x-acs-action": "RunInstances", "x-acs-content-sha256": empty,
		"x-acs-date": "2023-10-26T10:22:32Z", "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d", "x-acs-version": "2014-05-26"} {
		r.Header.Set(name, value)
	}
	canonical := canonicalRequest(r, []string{"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"}, empty)
	if got := acs3Signature("YourAccessKeySecret", canonical); got != "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0" {
		t.Errorf("ACS3: %s", got)
	}
}
