package restore

import (
	"cmp"
	"errors"

	"imageferry/internal/export"
	"imageferry/internal/unpack"
)

// codes maps the error codes of ECS's ImportImage and its neighbours to reasons.
var codes = map[string]string{
	"MissingParameter":                      requestInvalid,
	"MissingParameter.DiskDeviceMapping":    requestInvalid,
	"InvalidImageName.Malformed":            requestInvalid,
	"InvalidDescription.Malformed":          requestInvalid,
	"InvalidArchitecture.Malformed":         requestInvalid,
	"InvalidPlatform.Malformed":             requestInvalid,
	"InvalidOSType.Malformed":               requestInvalid,
	"InvalidBootMode.Malformed":             requestInvalid,
	"InvalidClientToken.Malformed":          requestInvalid,
	"InvalidImageFormat.Malformed":          requestInvalid,
	"InvalidParameter.Malformed":            requestInvalid,
	"TagKey.Duplication":                    requestInvalid,
	"UnsupportedSuffix.OSSObject":           formatNotImportable,
	"InvalidImageName.Duplicated":           nameTaken,
	"InvalidOSSBucket.NotFound":             bucketMissing,
	"InvalidOSSBucket.NotMatched":           bucketForeign,
	"InvalidOSSBucket.EncryptUnsupported":   bucketEncrypted,
	"InvalidOSSObject.NotFound":             objectMissing,
	"InvalidOSSObject.Size":                 objectChanged,
	"InvalidOSSObject.NeedRestore":          objectArchived,
	"InvalidOSS.NotAuthorized":              importRoleForbidden,
	"NoSetRoletoECSServiceAcount":           importRoleMissing, // the API's own spelling
	"NoSetRoletoECSServiceAccount":          importRoleMissing, // the newer documents'
	"InvalidImageSize":                      imageSize,
	"InvalidDataDiskSize":                   imageSize,
	"InvalidVHDImage.IncorrectSize":         imageSize,
	"InvalidImageFormat.RegionNotSupported": formatRegion,
	"InvalidRegionId.NotFound":              regionUnsupported,
	"InvalidRegion.NotSupport":              regionUnsupported,
	"InvalidResourceGroup.NotFound":         resourceGroup,
	"UserNotInTheWhiteList":                 whitelist,
	"Account.Arrearage":                     arrears,
	"QuotaExceed.Image":                     quotaImages,
	"ImageIsImporting":                      answerLost,
	"ImportImageFailed":                     importRefused,
	"ImageIsExporting":                      cleanupBlocked,
	"ImageUsingByInstance":                  cleanupBlocked,
	"OperationDenied.ImageCopying":          cleanupBlocked,
	"SnapshotCreatedImage":                  cleanupBlocked,
	"Forbidden":                             permissionDenied,
	"InvalidOSSBucket.FlowLimit":            throttled,
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
	code := cmp.Or(codes[call.Code], export.CommonReason(call.Code))
	if code == "" && (call.Status == 0 || call.Status >= 500) && otherwise != ossUnavailable {
		code = ecsUnavailable
	}
	f := found(cmp.Or(code, otherwise), call.Error())
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
