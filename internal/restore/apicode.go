package restore

import (
	"errors"
	"strings"

	"imageferry/internal/export"
	"imageferry/internal/unpack"
)

// codes maps the error codes of ECS's ImportImage and its neighbours to reasons.
var codes = map[string]string{
	"MissingParameter":                           requestInvalid,
	"MissingParameter.DiskDeviceMapping":         requestInvalid,
	"InvalidImageName.Malformed":                 requestInvalid,
	"InvalidDescription.Malformed":               requestInvalid,
	"InvalidArchitecture.Malformed":              requestInvalid,
	"InvalidPlatform.Malformed":                  requestInvalid,
	"InvalidOSType.Malformed":                    requestInvalid,
	"InvalidBootMode.Malformed":                  requestInvalid,
	"InvalidClientToken.Malformed":               requestInvalid,
	"InvalidImageFormat.Malformed":               requestInvalid,
	"InvalidParameter.Malformed":                 requestInvalid,
	"TagKey.Duplication":                         requestInvalid,
	"UnsupportedSuffix.OSSObject":                formatNotImportable,
	"InvalidImageName.Duplicated":                nameTaken,
	"InvalidOSSBucket.NotFound":                  bucketMissing,
	"InvalidOSSBucket.NotMatched":                bucketForeign,
	"InvalidOSSBucket.EncryptUnsupported":        bucketEncrypted,
	"InvalidOSSObject.NotFound":                  objectMissing,
	"InvalidOSSObject.Size":                      objectChanged,
	"InvalidOSSObject.NeedRestore":               objectArchived,
	"InvalidOSS.NotAuthorized":                   importRoleForbidden,
	"NoSetRoletoECSServiceAcount":                importRoleMissing, // the API's own spelling
	"NoSetRoletoECSServiceAccount":               importRoleMissing, // the newer documents'
	"InvalidImageSize":                           imageSize,
	"InvalidDataDiskSize":                        imageSize,
	"InvalidVHDImage.IncorrectSize":              imageSize,
	"InvalidImageFormat.RegionNotSupported":      formatRegion,
	"InvalidRegionId.NotFound":                   regionUnsupported,
	"InvalidRegion.NotSupport":                   regionUnsupported,
	"InvalidResourceGroup.NotFound":              resourceGroup,
	"UserNotInTheWhiteList":                      whitelist,
	"Account.Arrearage":                          arrears,
	"QuotaExceed.Image":                          quotaImages,
	"ImageIsImporting":                           answerLost,
	"ImportImageFailed":                          importRefused,
	"ImageIsExporting":                           cleanupBlocked,
	"ImageUsingByInstance":                       cleanupBlocked,
	"OperationDenied.ImageCopying":               cleanupBlocked,
	"SnapshotCreatedImage":                       cleanupBlocked,
	"Forbidden":                                  permissionDenied,
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
	"ServiceUnavailable":                         ecsUnavailable,
	"InternalError":                              ecsUnavailable,
	"InvalidOSSBucket.FlowLimit":                 throttled,
}

// isThrottled knows the codes of all limits of calls.
func isThrottled(code string) bool {
	return strings.HasPrefix(code, "Throttling") || strings.HasSuffix(code, ".Throttling")
}

// explain turns an error into a reason. What nobody has documented is `otherwise`.
func explain(err error, otherwise string) *finding {
	var refused *unpack.Error
	if errors.As(err, &refused) {
		return explainUnpacking(refused)
	}
	var call *export.CallError
	if !errors.As(err, &call) {
		return found(otherwise, err.Error())
	}
	code, ok := codes[call.Code]
	switch {
	case isThrottled(call.Code):
		code = throttled
	case !ok && (call.Status == 0 || call.Status >= 500):
		code = ecsUnavailable
		if otherwise == ossUnavailable {
			code = ossUnavailable
		}
	case !ok:
		code = otherwise
	}
	f := found(code, call.Error())
	f.code, f.message, f.request = call.Code, call.Message, call.RequestID
	return f
}

func explainUnpacking(e *unpack.Error) *finding {
	code := string(e.Reason)
	switch e.Reason {
	case unpack.ReasonStore:
		if e.Err != nil {
			return explain(e.Err, ossUnavailable)
		}
	case unpack.ReasonInterrupted:
		code = interrupted
	}
	if _, known := reasons[code]; !known {
		code = ossUnavailable
		if e.Reason.Final() {
			code = objectContent
		}
	}
	return found(code, e.Error())
}
