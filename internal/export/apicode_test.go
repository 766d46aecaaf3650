package export

import (
	"maps"
	"testing"

	"imageferry/internal/manifest"
)

// refusals are ECS's documented answers, those of 2017 included, and what they mean.
var refusals = []struct {
	status        int
	code, message string
	reason        string
	class         Class
	state         manifest.State
}{
	{400, "MissingParameter", `An input parameter "RegionId" that is mandatory for processing the request is not supplied.`, requestInvalid, Fail, manifest.Failed},
	{400, "InvalidImageName.Malformed", "The specified Image name is wrongly formed.", requestInvalid, Fail, manifest.Failed},
	{400, "InvalidOSSPrefix.Malformed", "The specified OSSPrefix format is wrongly formed.", prefixInvalid, Shared, manifest.Queued},
	{400, "InvalidRegionId.NotFound", "The specified RegionId does not exist.", regionUnsupported, Shared, manifest.Queued},
	{400, "InvalidRegion.NotSupport", "The specified region does not support image import or export.", regionUnsupported, Shared, manifest.Queued},
	{400, "IncorrectImageStatus", "The specified Image is not available.", imageNotAvailable, Wait, manifest.Queued},
	{400, "InvalidImageFormat.Malformed", "The specified Image Format is wrongly formed.", formatInvalid, Shared, manifest.Queued},
	{400, "InvalidOSSBucket.NotFound", "The specified OSS bucket does not exist in this region.", bucketNotFound, Shared, manifest.Queued},
	{400, "OperationDenied", "The specified image contains the snapshot of the data disk,does not support this operation.", imageNotSupported, Skip, manifest.Skipped},
	{400, "InvalidImage.DiskAmountOrSize", "The diskSize of the image exceeds the maximum size.", imageDisks, Skip, manifest.Skipped},
	{400, "ImageNotSupported", "The specified Image contains encrypted snapshots, do not support export.", imageEncrypted, Skip, manifest.Skipped},
	{400, "InvalidOSSObject.NeedRestore", "The specified OSS object is a archive object, need restore first.", bucketArchive, Shared, manifest.Queued},
	{400, "InvalidOSSBucket.NotMatched", "The specified OSS bucket is incorrect, it is in another region.", bucketWrongRegion, Shared, manifest.Queued},
	{400, "InvalidImageFormat.RegionNotSupported", "The specified image format is not supported in current region.", formatRegion, Shared, manifest.Queued},
	{403, "ImageNotSupported", "The specified image from the image market, do not support export image.", imageMarketplace, Skip, manifest.Skipped},
	{403, "ImageIsExporting", "The specified Image is being exported. You can use the DescribeTasks API to check the status of existing tasks.", imageExporting, Wait, manifest.Queued},
	{403, "ExportImageFailed", "Exporting image is failed, Please contact the administrator.", exportRefused, Retry, manifest.Queued},
	{403, "UserNotInTheWhiteList", "The user is not in the white list of exporting image.", whitelist, Shared, manifest.Queued},
	{403, "NoSetRoletoECSServiceAcount", "ECS service account Have no right to access your OSS.please attach a role of access your oss to ECS service account.", exportRoleMissing, Shared, manifest.Queued},
	{403, "NoSetRoletoECSServiceAccount", "ECS service account Have no right to access your OSS.", exportRoleMissing, Shared, manifest.Queued},
	{403, "InvalidOSS.NotAuthorized", "The specified OSS bucket or object is not allowed to access.", exportRoleForbidden, Shared, manifest.Queued},
	{403, "ConcurrentQuotaExceed.ExportImage", "The maximum number of concurrent tasks is reached.", quotaConcurrent, Quota, manifest.Queued},
	{403, "WeeklyQuotaExceed.ExportImage", "The weekly quota is used up.", quotaWeekly, Shared, manifest.Queued},
	{403, "InvalidImageLicense.NotSupported", "The license does not allow it.", imageLicense, Skip, manifest.Skipped},
	{403, "InvalidImageCategory.NotSupported", "The specified image category is not supported.", imageCategory, Skip, manifest.Skipped},
	{403, "InvalidOSSBucket.EncryptUnsupported", "Accessing objects from encrypted OSS bucket is not supported.", bucketEncrypted, Shared, manifest.Queued},
	{404, "InvalidImageId.NotFound", "The specified ImageId does not exist.", imageNotFound, Retry, manifest.Queued},
	{400, "ImageNotSupported", "Image from image market does not support exporting.", imageMarketplace, Skip, manifest.Skipped},
	{400, "ImageNotSupported", "Something else about it.", imageNotSupported, Skip, manifest.Skipped},
	// 2017
	{400, "Forbidden", "User is not authorized to operate on the specified image.", imageForbidden, Wait, manifest.Queued},
	{400, "IncorrectImageStatus", "The image is not available.", imageNotAvailable, Wait, manifest.Queued},
	{400, "OssBucket.NotFound", "The specified OssBucket does not exist.", bucketNotFound, Shared, manifest.Queued},
	{400, "OssPrefix.Malformed", "The specified OssPrefix format is incorrect.", prefixInvalid, Shared, manifest.Queued},
	{400, "RegionId.NotFound", "The specified RegionId does not exist.", regionUnsupported, Shared, manifest.Queued},
	{403, "ExportImageFailed", "Failed to export image.", exportRefused, Retry, manifest.Queued},
	{403, "ImageId.NotFound", "The image does not exist.", imageNotFound, Retry, manifest.Queued},
	{403, "ImageNotSupported", "The specified image is from the image market and does not support export.", imageMarketplace, Skip, manifest.Skipped},
	{403, "InvalidRegion.NotSupport", "The specified region does not support image import or export.", regionUnsupported, Shared, manifest.Queued},
	{403, "OperationDenied.ImageExporting", "The specified image is being exported.", imageExporting, Wait, manifest.Queued},
	// of every API
	{400, "Throttling", "Request was denied due to request throttling.", throttled, Quota, manifest.Queued},
	{400, "Throttling.User", "Request was denied due to user flow control.", throttled, Quota, manifest.Queued},
	{429, "Throttling.Api", "Request was denied due to api flow control.", throttled, Quota, manifest.Queued},
	{400, "Rejected.Throttling", "Request was denied.", throttled, Quota, manifest.Queued},
	{403, "Forbidden.RAM", "User not authorized to operate on the specified resource, or this API doesn't support RAM.", permissionDenied, Shared, manifest.Queued},
	{403, "NoPermission", "You are not authorized to do this action.", permissionDenied, Shared, manifest.Queued},
	{404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.", credentialsRefused, Shared, manifest.Queued},
	{400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.", credentialsRefused, Shared, manifest.Queued},
	{400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation.", credentialsRefused, Shared, manifest.Queued},
	{403, "SomethingNew.OfTheFuture", "Nobody has documented this.", exportRefused, Retry, manifest.Queued},
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range refusals {
		t.Run(c.code, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.add("m-1")
				w.fault(opExport, false, refusal(c.status, c.code, c.message), 0)
				r := w.submit("m-1")
				w.wantResult(r, c.state, c.reason)
				head := w.wantHead("m-1", c.state, c.reason)
				if got := reasons[head.Reason].Class; got != c.class {
					t.Errorf("class is %d, want %d", got, c.class)
				}
				a := head.Attempts
				if len(a) != 1 || a[0].Outcome != manifest.Refused || a[0].Code != c.code || a[0].Message != c.message ||
					a[0].Reason != c.reason || a[0].RequestID != "C8B26B44" {
					t.Errorf("attempts are %+v", a)
				}
				if failures := map[bool]int{true: 1}[c.class == Retry]; head.Failures != failures {
					t.Errorf("failures are %d", head.Failures)
				}
				if c.class == Shared || c.class == Quota {
					w.wantHold(c.reason)
				} else {
					w.wantHold("")
				}
				w.wantCalls(opExport, 1)
				w.wantMarkers("m-1")
				w.wantPublished("m-1")
			})
		})
	}
}

// Every code that the table maps is a reason that exists, and is tried above unless it is of no one API.
func TestCodesHaveReasons(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, c := range refusals {
		tried[c.code] = true
	}
	all := maps.Clone(codes)
	maps.Copy(all, common)
	for code, reason := range all {
		if reasons[reason].Code == "" {
			t.Errorf("%s stands for %q, which is no reason", code, reason)
		}
		if class := reasons[reason].Class; !tried[code] && reason != credentialsRefused && reason != permissionDenied && reason != ecsUnavailable {
			t.Errorf("%s (%s, class %d) is not tried", code, reason, class)
		}
	}
}

// An answer that says that ECS was in trouble does not say that nothing was started.
func TestAmbiguousAnswers(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"ServiceUnavailable", "InternalError", ""} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.add("m-1")
				w.fault(opExport, false, &CallError{Op: opExport, Status: 503, Code: code, Message: "trouble", Ambiguous: true}, 1)
				w.wantResult(w.submit("m-1"), manifest.Submitting, answerLost)
				w.wantStates("m-1", "submitting")
				w.wantMarkers("m-1")
			})
		})
	}
}
