package export

import (
	"cmp"
	"errors"
	"strings"
)

// codes maps the error codes of ECS's ExportImage, those of 2017 included, to reasons. Where one code stands for several
// things, messages below tells them apart.
var codes = map[string]string{
	"MissingParameter":                      requestInvalid,
	"InvalidImageName.Malformed":            requestInvalid,
	"InvalidOSSPrefix.Malformed":            prefixInvalid,
	"OssPrefix.Malformed":                   prefixInvalid,
	"InvalidRegionId.NotFound":              regionUnsupported,
	"RegionId.NotFound":                     regionUnsupported,
	"InvalidRegion.NotSupport":              regionUnsupported,
	"IncorrectImageStatus":                  imageNotAvailable,
	"InvalidImageFormat.Malformed":          formatInvalid,
	"InvalidImageFormat.RegionNotSupported": formatRegion,
	"InvalidOSSBucket.NotFound":             bucketNotFound,
	"OssBucket.NotFound":                    bucketNotFound,
	"InvalidOSSBucket.NotMatched":           bucketWrongRegion,
	"InvalidOSSBucket.EncryptUnsupported":   bucketEncrypted,
	"InvalidOSSObject.NeedRestore":          bucketArchive,
	"InvalidOSS.NotAuthorized":              exportRoleForbidden,
	"NoSetRoletoECSServiceAcount":           exportRoleMissing, // the API's own spelling
	"NoSetRoletoECSServiceAccount":          exportRoleMissing, // the newer documents'
	"OperationDenied":                       imageNotSupported,
	"InvalidImage.DiskAmountOrSize":         imageDisks,
	"ImageNotSupported":                     imageNotSupported,
	"InvalidImageLicense.NotSupported":      imageLicense,
	"InvalidImageCategory.NotSupported":     imageCategory,
	"InvalidImageId.NotFound":               imageNotFound,
	"ImageId.NotFound":                      imageNotFound,
	"ImageIsExporting":                      imageExporting,
	"OperationDenied.ImageExporting":        imageExporting,
	"ExportImageFailed":                     exportRefused,
	"UserNotInTheWhiteList":                 whitelist,
	"ConcurrentQuotaExceed.ExportImage":     quotaConcurrent,
	"WeeklyQuotaExceed.ExportImage":         quotaWeekly,
	"Forbidden":                             imageForbidden,
}

// messages tells the causes of ImageNotSupported apart by what ECS writes with it.
var messages = []struct{ code, part, reason string }{
	{"ImageNotSupported", "encrypted", imageEncrypted},
	{"ImageNotSupported", "market", imageMarketplace},
}

// common maps the error codes that any call to ECS, OSS or STS may be answered with.
var common = map[string]string{
	"Forbidden.RAM":                              permissionDenied,
	"NoPermission":                               permissionDenied,
	"AccessDenied":                               permissionDenied,
	"InvalidAccessKeyId.NotFound":                credentialsRefused,
	"InvalidAccessKeyId.Inactive":                credentialsRefused,
	"InvalidAccessKeyId":                         credentialsRefused,
	"InvalidSecurityToken.Expired":               credentialsRefused,
	"InvalidSecurityToken.Malformed":             credentialsRefused,
	"InvalidSecurityToken.MismatchWithAccessKey": credentialsRefused,
	"SecurityTokenExpired":                       credentialsRefused,
	"InvalidSecurityToken":                       credentialsRefused,
	"SignatureDoesNotMatch":                      credentialsRefused,
	"RequestTimeTooSkewed":                       credentialsRefused,
	"InvalidTimeStamp.Expired":                   credentialsRefused,
	"ServiceUnavailable":                         ecsUnavailable,
	"InternalError":                              ecsUnavailable,
}

// CommonReason is the reason for an error code that says nothing of what was called for, empty for any other. The documents
// give no HTTP status for the family of throttling.
func CommonReason(code string) string {
	if strings.HasPrefix(code, "Throttling") || strings.HasSuffix(code, ".Throttling") {
		return throttled
	}
	return common[code]
}

// explain turns the error of a call to ECS or OSS into a reason. What nobody has documented is `otherwise`.
func explain(err error, otherwise string) *finding {
	var call *CallError
	if !errors.As(err, &call) {
		return found(otherwise, err.Error())
	}
	f := found(reasonOf(call, otherwise), call.Error())
	f.call = call
	return f
}

func reasonOf(call *CallError, otherwise string) string {
	for _, m := range messages {
		if call.Code == m.code && strings.Contains(strings.ToLower(call.Message), m.part) {
			return m.reason
		}
	}
	return cmp.Or(codes[call.Code], CommonReason(call.Code), otherwise)
}
