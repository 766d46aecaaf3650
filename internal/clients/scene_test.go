// Package clients lets clients of Alibaba Cloud that others wrote judge the embedded cloud: each has its own signer, its own
// parser and its own idea of what the platform answers. Where one of them disagrees, the embedded cloud is wrong until a
// document of the platform says otherwise.
package clients

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/localcloud/trace"
)

// A place is one embedded cloud as a client sees it.
type place struct {
	cloud *localcloud.Cloud

	Region string `json:"region"`
	// ECS, OSS and STS are host:port on loopback.
	ECS string `json:"ecs"`
	OSS string `json:"oss"`
	STS string `json:"sts"`
	// Keys are what requests can be signed with, by name: admin, session (temporary), expired (temporary, ended), other
	// (temporary, of another session), nobody (without permissions), stranger (unknown to the cloud) and typo (admin with a
	// wrong secret).
	Keys map[string]key `json:"keys"`
}

type key struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
	Token  string `json:"token,omitempty"`
}

// paged is how many images and objects there are to page through.
const paged = 123

// places start clouds with the same images and buckets, one for each state of an account that a client has to see. Without
// names they are all started.
func places(t *testing.T, names ...string) map[string]*place {
	t.Helper()
	export := account.Administrator()
	refusing := func(status int, code, message string) func(*localcloud.Cloud) {
		return func(c *localcloud.Cloud) {
			c.Tap.Inject(func(trace.Call) trace.Fault {
				return trace.Fault{Refuse: &trace.Refusal{Status: status, Code: code, Message: message}}
			})
		}
	}
	conditions := func(held ecsd.Conditions) func(*localcloud.Cloud) {
		return func(c *localcloud.Cloud) { c.ECS.SetConditions(held) }
	}
	const real, hasty = 1, 1e6
	all := map[string]*place{}
	for name, s := range map[string]struct {
		options localcloud.Options
		role    *account.Policy // of the export role; nil for no role
		change  func(*localcloud.Cloud)
	}{
		"main":        {options: localcloud.Options{Speed: real}, role: &export},
		"hasty":       {options: localcloud.Options{Speed: hasty}, role: &export},
		"formats":     {options: localcloud.Options{Speed: hasty, Region: "ap-southeast-1"}, role: &export},
		"seed":        {options: localcloud.Options{Speed: real, SeedDialect: true}, role: &export},
		"concurrent":  {options: localcloud.Options{Speed: real, Quotas: ecsd.Quotas{ConcurrentExports: 1}}, role: &export},
		"weekly":      {options: localcloud.Options{Speed: real, Quotas: ecsd.Quotas{WeeklyExports: 1}}, role: &export},
		"whitelist":   {options: localcloud.Options{Speed: real}, role: &export, change: conditions(ecsd.Conditions{NotWhitelisted: true})},
		"unsupported": {options: localcloud.Options{Speed: real}, role: &export, change: conditions(ecsd.Conditions{RegionUnsupported: true})},
		"roleless":    {options: localcloud.Options{Speed: real}},
		"powerless":   {options: localcloud.Options{Speed: real}, role: &account.Policy{Version: "1"}},
		"throttled":   {options: localcloud.Options{}, change: refusing(http.StatusBadRequest, "Throttling.User", "Request was denied due to user flow control.")},
		"busy":        {options: localcloud.Options{}, change: refusing(http.StatusServiceUnavailable, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.")},
		"broken":      {options: localcloud.Options{}, change: refusing(http.StatusInternalServerError, "InternalError", "The request processing has failed due to some unknown error.")},
	} {
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		c, err := localcloud.Start(s.options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if s.role != nil {
			c.Directory.PutRole(localcloud.ExportRole, trusting("Service", "ecs.aliyuncs.com"), *s.role)
		}
		addImages(c)
		addBuckets(t, c)
		all[name] = &place{cloud: c, Region: c.Region, ECS: c.Endpoints.ECS, OSS: c.Endpoints.OSS, STS: c.Endpoints.STS, Keys: addKeys(t, c)}
		c.Tap.Reset()
		if s.change != nil {
			s.change(c)
		}
	}
	return all
}

// addKeys makes the identities, and the roles that a client can try to assume.
func addKeys(t *testing.T, c *localcloud.Cloud) map[string]key {
	t.Helper()
	root := fmt.Sprintf("acs:ram::%s:root", c.Directory.ID())
	c.Directory.PutRole("ferry", trusting("RAM", root), account.Administrator())
	c.Directory.PutRole("closed", trusting("Service", "fc.aliyuncs.com"), account.Administrator())
	session := func(name string) account.Identity {
		id, err := c.Directory.AssumeByService("fc.aliyuncs.com", "closed", name, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	expired := session("expired")
	c.Directory.Expire(expired.AccessKeyID)
	keys := map[string]key{"stranger": {ID: "LTAI-LOCAL-STRANGER", Secret: "unknown"}}
	for name, id := range map[string]account.Identity{
		"admin": c.Administrator, "session": session("session"), "other": session("other"), "expired": expired,
		"nobody": c.Directory.PutUser("nobody"),
	} {
		keys[name] = key{ID: id.AccessKeyID, Secret: id.Secret, Token: id.Token}
	}
	keys["typo"] = key{ID: keys["admin"].ID, Secret: strings.ToLower(keys["admin"].Secret)}
	return keys
}

func trusting(kind, name string) account.Policy {
	principal := account.Principal{Service: account.Strings{name}}
	if kind == "RAM" {
		principal = account.Principal{RAM: account.Strings{name}}
	}
	return account.Policy{Version: "1", Statement: []account.Statement{
		{Effect: "Allow", Action: account.Strings{"sts:AssumeRole"}, Principal: &principal}}}
}

func addImages(c *localcloud.Cloud) {
	disks := func(n, gib int) []ecsd.Disk {
		list := []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 40}}
		for i := range n {
			list = append(list, ecsd.Disk{Device: "/dev/xvd" + string(rune('b'+i)), Type: "data", SizeGiB: gib})
		}
		return list
	}
	encrypted := disks(1, 20)
	encrypted[1].Encrypted = true
	old := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, image := range []ecsd.Image{
		{ID: "m-plain", Name: "plain", Family: "golden", Description: `<a> & "b"`, Disks: disks(2, 20), Tags: map[string]string{"team": "core", "env": "prod & test"}},
		{ID: "m-second", Name: "second"},
		{ID: "m-odd", Name: "golden *~+ 图像 & =?#'()!%2F;,:@$[]"},
		{ID: "m-used", Name: "used", Usage: "instance"},
		{ID: "m-public", Name: "public", Public: true},
		{ID: "m-creating", Name: "creating", Status: ecsd.StatusCreating, Progress: "3%"},
		{ID: "m-deprecated", Name: "deprecated", Status: ecsd.StatusDeprecated},
		{ID: "m-windows", Name: "windows", OSType: "windows"},
		{ID: "m-market", Name: "market", ProductCode: "cmjj01"},
		{ID: "m-shared", Name: "shared", OwnerAlias: "others", OwnerAccount: "9876543210987654"},
		{ID: "m-licensed", Name: "licensed", LicenseForbidden: true},
		{ID: "m-encrypted", Name: "encrypted", Disks: encrypted},
		{ID: "m-five", Name: "five", Disks: disks(5, 10)},
		{ID: "m-large", Name: "large", Disks: disks(1, 501)},
	} {
		image.CreationTime = old
		c.ECS.AddImage(image)
	}
	for n := range paged {
		c.ECS.AddImage(ecsd.Image{ID: fmt.Sprintf("m-page%03d", n), Name: fmt.Sprintf("page-%03d", n), CreationTime: old.Add(time.Duration(n) * time.Second)})
	}
}

func addBuckets(t *testing.T, c *localcloud.Cloud) {
	t.Helper()
	for _, spec := range []ossd.BucketSpec{
		{Name: "ferry-images"},
		{Name: "ferry-listed"},
		{Name: "ferry-versioned", Versioning: "Enabled"},
		{Name: "ferry-suspended", Versioning: "Suspended"},
		{Name: "ferry-encrypted", SSEAlgorithm: "AES256"},
		{Name: "ferry-archive", StorageClass: "Archive"},
		{Name: "ferry-retained", RetentionDays: 30},
		{Name: "ferry-open", ACL: "public-read"},
		{Name: "ferry-elsewhere", Region: "cn-beijing"},
		{Name: "ferry-foreign", OwnerID: "9876543210987654"},
	} {
		if err := c.OSS.CreateBucket(spec); err != nil {
			t.Fatal(err)
		}
	}
	for n := range paged {
		putObject(t, c, "ferry-listed", fmt.Sprintf("a/%d/%03d.json", n%3, n), "listed")
	}
	for _, name := range []string{"b", "c/1 +%&?#=ü图.txt", "c/2"} {
		putObject(t, c, "ferry-listed", name, "listed")
	}
	for _, bucket := range []string{"ferry-images", "ferry-archive", "ferry-retained", "ferry-open"} {
		putObject(t, c, bucket, "fixed/object.txt", "0123456789")
	}
}

func putObject(t *testing.T, c *localcloud.Cloud, bucket, key, body string) {
	t.Helper()
	if err := c.OSS.PutObjectAs(t.Context(), c.Administrator, bucket, key, []byte(body)); err != nil {
		t.Fatal(err)
	}
}
