package alicloud_test

import (
	"log/slog"
	"net/http"
	"testing"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/localcloud/trace"
)

// A scenario brings about one documented error of ExportImage, and says what it means to imageferry.
type scenario struct {
	reason string
	// options, image, world and params are what is wrong.
	options localcloud.Options
	image   func(*ecsd.Image)
	world   func(*testing.T, embedded)
	params  map[string]string // an empty value leaves one out
	// running starts an export before: of the same image, or of another.
	running, runningOther bool
	// injected: nothing that the embedded cloud models brings it about, so it is told to answer it.
	injected bool
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// bringAbout makes the call that is answered with the error.
func (s scenario) bringAbout(t *testing.T, dialect, format string, row documentedError) wireAnswer {
	t.Helper()
	options := s.options
	options.SeedDialect, options.Speed = dialect == "2017", 1
	e := start(t, options)
	id := e.addImage(s.image)
	if s.world != nil {
		s.world(t, e)
	}
	first := id
	if s.runningOther {
		first = e.addImage(nil)
	}
	if s.running || s.runningOther {
		if a := e.ask(t, format, order(dialect, first)); a.status != http.StatusOK {
			t.Fatalf("the export before is answered %d %s", a.status, a.body)
		}
	}
	params := order(dialect, id)
	for name, value := range s.params {
		params[name] = value
	}
	if s.injected {
		e.Tap.Inject(func(c trace.Call) trace.Fault {
			return trace.Fault{Refuse: &trace.Refusal{Status: row.Status, Code: row.Code, Message: row.Message}}
		})
	}
	return e.ask(t, format, params)
}

func dataDisks(n, gib int) func(*ecsd.Image) {
	return func(i *ecsd.Image) {
		for d := range n {
			i.Disks = append(i.Disks, ecsd.Disk{Device: "/dev/xvd" + string(rune('b'+d)), Type: "data", SizeGiB: gib})
		}
	}
}

func changeBucket(change func(*ossd.BucketSpec)) func(*testing.T, embedded) {
	return func(t *testing.T, e embedded) {
		t.Helper()
		if err := e.Cloud.OSS.UpdateBucket(bucket, change); err != nil {
			t.Fatal(err)
		}
	}
}

func otherRegion(t *testing.T, e embedded) {
	t.Helper()
	if err := e.Cloud.OSS.CreateBucket(ossd.BucketSpec{Name: "elsewhere", Region: "cn-beijing"}); err != nil {
		t.Fatal(err)
	}
}

func conditions(c ecsd.Conditions) func(*testing.T, embedded) {
	return func(_ *testing.T, e embedded) { e.Cloud.ECS.SetConditions(c) }
}

func withoutRole(_ *testing.T, e embedded) { e.Directory.DeleteRole(localcloud.ExportRole) }

// withoutPermissions leaves the role, which may do nothing.
func withoutPermissions(_ *testing.T, e embedded) {
	trust, _, _ := e.Directory.Role(localcloud.ExportRole)
	e.Directory.PutRole(localcloud.ExportRole, trust, account.Policy{})
}

// scenarios are by "<dialect> <status> <code>", with " <message>" where one code has several.
var scenarios = map[string]scenario{
	"2017 400 Forbidden":            {reason: "image-forbidden", image: func(i *ecsd.Image) { i.OwnerAlias = "others" }},
	"2017 400 IncorrectImageStatus": {reason: "image-not-available", image: func(i *ecsd.Image) { i.Status = ecsd.StatusCreating }},
	"2017 400 MissingParameter An input parameter \"RegionId\" that is mandatory for processing the request is not supplied.": {
		reason: "request-invalid", params: map[string]string{"RegionId": ""}},
	"2017 400 MissingParameter An input parameter \"ImageId\" that is mandatory for processing the request is not supplied.": {
		reason: "request-invalid", params: map[string]string{"ImageId": ""}},
	"2017 400 MissingParameter An input parameter \"OssBucket\" that is mandatory for processing the request is not supplied.": {
		reason: "request-invalid", params: map[string]string{"OssBucket": ""}},
	"2017 400 OssBucket.NotFound":             {reason: "bucket-not-found", params: map[string]string{"OssBucket": "no-such-bucket"}},
	"2017 400 OssPrefix.Malformed":            {reason: "prefix-invalid", params: map[string]string{"OssPrefix": "a/b"}},
	"2017 400 RegionId.NotFound":              {reason: "region-not-supported", params: map[string]string{"RegionId": "cn-nowhere"}},
	"2017 403 ExportImageFailed":              {reason: "export-refused", image: dataDisks(5, 20)},
	"2017 403 ImageId.NotFound":               {reason: "image-not-found", params: map[string]string{"ImageId": "m-none"}},
	"2017 403 ImageNotSupported":              {reason: "image-marketplace", image: func(i *ecsd.Image) { i.ProductCode = "cmjj1" }},
	"2017 403 InvalidRegion.NotSupport":       {reason: "region-not-supported", world: conditions(ecsd.Conditions{RegionUnsupported: true})},
	"2017 403 OperationDenied.ImageExporting": {reason: "image-exporting-elsewhere", running: true},

	"today 400 MissingParameter An input parameter \"RegionId\" that is mandatory for processing the request is not supplied.": {
		reason: "request-invalid", params: map[string]string{"RegionId": ""}},
	"today 400 MissingParameter An input parameter \"ImageId\" that is mandatory for processing the request is not supplied.": {
		reason: "request-invalid", params: map[string]string{"ImageId": ""}},
	"today 400 MissingParameter An input parameter \"OSSBucket\" that is mandatory for processing the request is not supplied.": {
		reason: "request-invalid", params: map[string]string{"OSSBucket": ""}},
	"today 400 InvalidImageName.Malformed":    {reason: "request-invalid", injected: true},
	"today 400 InvalidOSSPrefix.Malformed":    {reason: "prefix-invalid", params: map[string]string{"OSSPrefix": "a/b"}},
	"today 400 InvalidRegionId.NotFound":      {reason: "region-not-supported", params: map[string]string{"RegionId": "cn-nowhere"}},
	"today 400 InvalidRegion.NotSupport":      {reason: "region-not-supported", world: conditions(ecsd.Conditions{RegionUnsupported: true})},
	"today 400 IncorrectImageStatus":          {reason: "image-not-available", image: func(i *ecsd.Image) { i.Status = ecsd.StatusCreating }},
	"today 400 InvalidImageFormat.Malformed":  {reason: "format-invalid", params: map[string]string{"ImageFormat": "iso"}},
	"today 400 InvalidOSSBucket.NotFound":     {reason: "bucket-not-found", params: map[string]string{"OSSBucket": "no-such-bucket"}},
	"today 400 OperationDenied":               {reason: "image-not-supported", injected: true},
	"today 400 InvalidImage.DiskAmountOrSize": {reason: "image-disks", image: dataDisks(5, 20)},
	"today 400 InvalidImage.DiskAmountOrSize The diskSize of the image exceeds the maximum size.": {reason: "image-disks", injected: true},
	"today 400 ImageNotSupported The specified Image contains encrypted snapshots, do not support export.": {
		reason: "image-encrypted", image: func(i *ecsd.Image) { i.Disks[0].Encrypted = true }},
	"today 400 ImageNotSupported Image from image market does not support exporting.": {reason: "image-marketplace", injected: true},
	"today 400 InvalidOSSObject.NeedRestore": {
		reason: "bucket-archive", world: changeBucket(func(b *ossd.BucketSpec) { b.StorageClass = "Archive" })},
	"today 400 InvalidOSSBucket.NotMatched": {
		reason: "bucket-wrong-region", world: otherRegion, params: map[string]string{"OSSBucket": "elsewhere"}},
	"today 400 InvalidImageFormat.RegionNotSupported": {reason: "format-not-in-region", params: map[string]string{"ImageFormat": "qcow2"}},
	"today 403 ImageNotSupported":                     {reason: "image-marketplace", image: func(i *ecsd.Image) { i.ProductCode = "cmjj1" }},
	"today 403 ImageIsExporting":                      {reason: "image-exporting-elsewhere", running: true},
	"today 403 ExportImageFailed":                     {reason: "export-refused", injected: true},
	"today 403 UserNotInTheWhiteList":                 {reason: "not-in-whitelist", world: conditions(ecsd.Conditions{NotWhitelisted: true})},
	"today 403 NoSetRoletoECSServiceAcount":           {reason: "export-role-missing", world: withoutRole},
	"today 403 InvalidOSS.NotAuthorized":              {reason: "export-role-forbidden", world: withoutPermissions},
	"today 403 ConcurrentQuotaExceed.ExportImage": {
		reason: "quota-concurrent", runningOther: true, options: localcloud.Options{Quotas: ecsd.Quotas{ConcurrentExports: 1}}},
	"today 403 WeeklyQuotaExceed.ExportImage": {
		reason: "quota-weekly", runningOther: true, options: localcloud.Options{Quotas: ecsd.Quotas{WeeklyExports: 1}}},
	"today 403 InvalidImageLicense.NotSupported":  {reason: "image-license", image: func(i *ecsd.Image) { i.LicenseForbidden = true }},
	"today 403 InvalidImageCategory.NotSupported": {reason: "image-category", image: func(i *ecsd.Image) { i.OwnerAlias = "others" }},
	"today 403 InvalidOSSBucket.EncryptUnsupported": {
		reason: "bucket-encrypted", world: changeBucket(func(b *ossd.BucketSpec) { b.SSEAlgorithm = "AES256" })},
	"today 404 InvalidImageId.NotFound The specified ImageId does not exist.":  {reason: "image-not-found", params: map[string]string{"ImageId": "m-none"}},
	"today 404 InvalidImageId.NotFound The specified image %s does not exist.": {reason: "image-not-found", injected: true},
}
