package ecsd_test

import (
	"strings"
	"testing"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
)

func TestExportErrors(t *testing.T) {
	t.Parallel()
	type expected struct {
		status        int
		code, message string
	}
	failed := expected{403, "ExportImageFailed", "Failed to export image."}
	disks := func(n, gib int) func(*ecsd.Image) {
		return func(i *ecsd.Image) {
			i.Disks = []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 40}}
			for d := range n {
				i.Disks = append(i.Disks, ecsd.Disk{Device: "/dev/xvd" + string(rune('b'+d)), Type: "data", SizeGiB: gib})
			}
		}
	}
	bucket := func(info ecsd.BucketInfo) func(*world) {
		return func(w *world) { w.buckets.info["images"] = info }
	}
	tests := []struct {
		name   string
		image  func(*ecsd.Image)
		world  func(*world)
		params []string // in today's names
		today  expected
		seed   expected // zero where the API of 2017 has no such parameter
	}{
		{name: "no region", params: []string{"RegionId", ""},
			today: expected{400, "MissingParameter", `An input parameter "RegionId" that is mandatory for processing the request is not supplied.`},
			seed:  expected{400, "MissingParameter", `An input parameter "RegionId" that is mandatory for processing the request is not supplied.`}},
		{name: "no image", params: []string{"ImageId", ""},
			today: expected{400, "MissingParameter", `An input parameter "ImageId" that is mandatory for processing the request is not supplied.`},
			seed:  expected{400, "MissingParameter", `An input parameter "ImageId" that is mandatory for processing the request is not supplied.`}},
		{name: "no bucket", params: []string{"OSSBucket", ""},
			today: expected{400, "MissingParameter", `An input parameter "OSSBucket" that is mandatory for processing the request is not supplied.`},
			seed:  expected{400, "MissingParameter", `An input parameter "OssBucket" that is mandatory for processing the request is not supplied.`}},
		{name: "other region", params: []string{"RegionId", "cn-nowhere"},
			today: expected{400, "InvalidRegionId.NotFound", "The specified RegionId does not exist."},
			seed:  expected{400, "RegionId.NotFound", "The specified RegionId does not exist."}},
		{name: "unsupported region", world: func(w *world) { w.server.SetConditions(ecsd.Conditions{RegionUnsupported: true}) },
			today: expected{400, "InvalidRegion.NotSupport", "The specified region does not support image import or export."},
			seed:  expected{403, "InvalidRegion.NotSupport", "The specified region does not support image import or export."}},
		{name: "unknown image", params: []string{"ImageId", "m-none"},
			today: expected{404, "InvalidImageId.NotFound", "The specified ImageId does not exist."},
			seed:  expected{403, "ImageId.NotFound", "The image does not exist."}},
		{name: "prefix with a slash", params: []string{"OSSPrefix", "a/b"},
			today: expected{400, "InvalidOSSPrefix.Malformed", "The specified OSSPrefix format is wrongly formed."},
			seed:  expected{400, "OssPrefix.Malformed", "The specified OssPrefix format is incorrect."}},
		{name: "prefix of 31", params: []string{"OSSPrefix", "aaaaaaaaaabbbbbbbbbbccccccccccd"},
			today: expected{400, "InvalidOSSPrefix.Malformed", "The specified OSSPrefix format is wrongly formed."},
			seed:  expected{400, "OssPrefix.Malformed", "The specified OssPrefix format is incorrect."}},
		{name: "unknown format", params: []string{"ImageFormat", "iso"},
			today: expected{400, "InvalidImageFormat.Malformed", "The specified Image Format is wrongly formed."}},
		{name: "format of other regions", params: []string{"ImageFormat", "QCOW2"},
			today: expected{400, "InvalidImageFormat.RegionNotSupported", "The specified image format is not supported in current region."}},
		{name: "shared image", image: func(i *ecsd.Image) { i.OwnerAlias = "others" },
			today: expected{403, "InvalidImageCategory.NotSupported", "The specified image category is not supported."},
			seed:  expected{400, "Forbidden", "User is not authorized to operate on the specified image."}},
		{name: "marketplace", image: func(i *ecsd.Image) { i.ProductCode = "cmjj1" },
			today: expected{403, "ImageNotSupported", "The specified image from the image market, do not support export image."},
			seed:  expected{403, "ImageNotSupported", "The specified image is from the image market and does not support export."}},
		{name: "windows", image: func(i *ecsd.Image) { i.OSType = "windows" },
			today: expected{403, "InvalidImageLicense.NotSupported", ""}, seed: failed},
		{name: "creating", image: func(i *ecsd.Image) { i.Status = ecsd.StatusCreating },
			today: expected{400, "IncorrectImageStatus", "The specified Image is not available."},
			seed:  expected{400, "IncorrectImageStatus", "The image is not available."}},
		{name: "encrypted", image: func(i *ecsd.Image) { i.Disks[0].Encrypted = true },
			today: expected{400, "ImageNotSupported", "The specified Image contains encrypted snapshots, do not support export."}, seed: failed},
		{name: "five data disks", image: disks(5, 10), today: expected{400, "InvalidImage.DiskAmountOrSize", ""}, seed: failed},
		{name: "large data disk", image: disks(1, 501), today: expected{400, "InvalidImage.DiskAmountOrSize", ""}, seed: failed},
		{name: "not whitelisted", world: func(w *world) { w.server.SetConditions(ecsd.Conditions{NotWhitelisted: true}) },
			today: expected{403, "UserNotInTheWhiteList", "The user is not in the white list of exporting image."}, seed: failed},
		{name: "no role", world: func(w *world) { w.dir.DeleteRole(exportRole) },
			today: expected{403, "NoSetRoletoECSServiceAcount", "ECS service account Have no right to access your OSS.please attach a role of access your oss to ECS service account."}, seed: failed},
		{name: "role of another service", world: func(w *world) { w.dir.PutRole(exportRole, trust("fc.aliyuncs.com"), account.Administrator()) },
			today: expected{403, "NoSetRoletoECSServiceAcount", ""}, seed: failed},
		{name: "other role", params: []string{"RoleName", "nobody"}, today: expected{403, "NoSetRoletoECSServiceAcount", ""}},
		{name: "no such bucket", params: []string{"OSSBucket", "nothing"},
			today: expected{400, "InvalidOSSBucket.NotFound", "The specified OSS bucket does not exist in this region."},
			seed:  expected{400, "OssBucket.NotFound", "The specified OssBucket does not exist."}},
		{name: "bucket elsewhere", world: bucket(ecsd.BucketInfo{Region: "cn-beijing"}),
			today: expected{400, "InvalidOSSBucket.NotMatched", ""}, seed: expected{400, "OssBucket.NotFound", ""}},
		{name: "encrypted bucket", world: bucket(ecsd.BucketInfo{Region: "oss-cn-hangzhou", SSEAlgorithm: "AES256"}),
			today: expected{403, "InvalidOSSBucket.EncryptUnsupported", "Accessing objects from encrypted OSS bucket is not supported."}, seed: failed},
		{name: "archive bucket", world: bucket(ecsd.BucketInfo{Region: "cn-hangzhou", StorageClass: "Archive"}),
			today: expected{400, "InvalidOSSObject.NeedRestore", "The specified OSS object is a archive object, need restore first."}, seed: failed},
		{name: "role without bucket info", world: func(w *world) { w.setRole("oss:GetBucketLocation", "oss:*Object") },
			today: expected{403, "InvalidOSS.NotAuthorized", "The specified OSS bucket or object is not allowed to access."}, seed: failed},
		{name: "role without bucket location", world: func(w *world) { w.setRole("oss:GetBucketInfo") },
			today: expected{403, "InvalidOSS.NotAuthorized", ""}, seed: failed},
		{name: "dry run", params: []string{"DryRun", "true"}, today: expected{400, "DryRunOperation", ""}},
		{name: "no permission", world: func(w *world) { w.caller = w.dir.PutUser("nobody") },
			today: expected{403, "Forbidden.RAM", "User not authorized to operate on the specified resource, or this API doesn't support RAM."},
			seed:  expected{400, "Forbidden", "User is not authorized to operate on the specified image."}},
	}
	for _, test := range tests {
		for _, seed := range []bool{false, true} {
			want, name := test.today, test.name
			if seed {
				want, name = test.seed, test.name+" in 2017"
			}
			if want.code == "" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, func(o *ecsd.Options) { o.SeedDialect = seed })
				image := ecsd.Image{ID: "m-1", Disks: []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 40}}}
				if test.image != nil {
					test.image(&image)
				}
				w.server.AddImage(image)
				if test.world != nil {
					test.world(w)
				}
				params := append([]string{"ImageId", "m-1", "OSSBucket", "images"}, test.params...)
				if seed {
					for i := 0; i < len(params); i += 2 {
						params[i] = strings.Replace(params[i], "OSS", "Oss", 1)
					}
				}
				a := w.fails(want.status, want.code, "ExportImage", params...)
				if want.message != "" && a.text("Message") != want.message {
					t.Errorf("message %q, want %q", a.text("Message"), want.message)
				}
				if tasks := w.server.Tasks(); len(tasks) != 0 {
					t.Errorf("there are tasks: %v", tasks)
				}
			})
		}
	}
}
