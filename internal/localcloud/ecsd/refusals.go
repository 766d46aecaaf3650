package ecsd

import (
	"net/http"

	"imageferry/internal/localcloud/openapi"
)

// A refusal is one way in which ExportImage says no: today's error and that of the API of 2017.
type refusal struct {
	today, seed openapi.Error
}

// The errors of ExportImage as documented; %s in a documented message is filled in by the caller. Guess: where the API of
// 2017 documents no error for a case, it answers ExportImageFailed.
var (
	refuseRegion = refusal{
		openapi.Error{Status: http.StatusBadRequest, Code: "InvalidRegionId.NotFound", Message: "The specified RegionId does not exist."},
		openapi.Error{Status: http.StatusBadRequest, Code: "RegionId.NotFound", Message: "The specified RegionId does not exist."},
	}
	refuseRegionSupport = refusal{
		openapi.Error{Status: http.StatusBadRequest, Code: "InvalidRegion.NotSupport", Message: "The specified region does not support image import or export."},
		openapi.Error{Status: http.StatusForbidden, Code: "InvalidRegion.NotSupport", Message: "The specified region does not support image import or export."},
	}
	refuseMissingImage = refusal{
		openapi.Error{Status: http.StatusNotFound, Code: "InvalidImageId.NotFound", Message: "The specified ImageId does not exist."},
		openapi.Error{Status: http.StatusForbidden, Code: "ImageId.NotFound", Message: "The image does not exist."},
	}
	refusePrefix = refusal{
		openapi.Error{Status: http.StatusBadRequest, Code: "InvalidOSSPrefix.Malformed", Message: "The specified OSSPrefix format is wrongly formed."},
		openapi.Error{Status: http.StatusBadRequest, Code: "OssPrefix.Malformed", Message: "The specified OssPrefix format is incorrect."},
	}
	refuseFormat = refusal{
		today: openapi.Error{Status: http.StatusBadRequest, Code: "InvalidImageFormat.Malformed", Message: "The specified Image Format is wrongly formed."},
	}
	refuseFormatRegion = refusal{
		today: openapi.Error{Status: http.StatusBadRequest, Code: "InvalidImageFormat.RegionNotSupported", Message: "The specified image format is not supported in current region."},
	}
	refuseCategory = refusal{
		openapi.Error{Status: http.StatusForbidden, Code: "InvalidImageCategory.NotSupported", Message: "The specified image category is not supported."},
		openapi.Error{Status: http.StatusBadRequest, Code: "Forbidden", Message: "User is not authorized to operate on the specified image."},
	}
	refuseMarketplace = refusal{
		openapi.Error{Status: http.StatusForbidden, Code: "ImageNotSupported", Message: "The specified image from the image market, do not support export image."},
		openapi.Error{Status: http.StatusForbidden, Code: "ImageNotSupported", Message: "The specified image is from the image market and does not support export."},
	}
	refuseLicense = refusal{
		openapi.Error{Status: http.StatusForbidden, Code: "InvalidImageLicense.NotSupported", Message: "The license of the specified image does not support export."}, // Guess: the text.
		seedFailed,
	}
	refuseStatus = refusal{
		openapi.Error{Status: http.StatusBadRequest, Code: "IncorrectImageStatus", Message: "The specified Image is not available."},
		openapi.Error{Status: http.StatusBadRequest, Code: "IncorrectImageStatus", Message: "The image is not available."},
	}
	refuseEncrypted = refusal{
		openapi.Error{Status: http.StatusBadRequest, Code: "ImageNotSupported", Message: "The specified Image contains encrypted snapshots, do not support export."},
		seedFailed,
	}
	refuseDisks = refusal{
		openapi.Error{Status: http.StatusBadRequest, Code: "InvalidImage.DiskAmountOrSize", Message: "The specified image has more than 4 data disk snapshots or one that exceeds 500 GiB."}, // Guess: the text.
		seedFailed,
	}
	refuseWhitelist = refusal{
		openapi.Error{Status: http.StatusForbidden, Code: "UserNotInTheWhiteList", Message: "The user is not in the white list of exporting image."},
		seedFailed,
	}
	refuseExporting = refusal{
		openapi.Error{Status: http.StatusForbidden, Code: "ImageIsExporting", Message: "The specified Image is being exported. You can use the DescribeTasks API to check the status of existing tasks."},
		openapi.Error{Status: http.StatusForbidden, Code: "OperationDenied.ImageExporting", Message: "The specified image is being exported."},
	}
	refuseRole = refusal{
		openapi.Error{Status: http.StatusForbidden, Code: "NoSetRoletoECSServiceAcount", Message: "ECS service account Have no right to access your OSS.please attach a role of access your oss to ECS service account."},
		seedFailed,
	}
	refuseMissingBucket = refusal{
		openapi.Error{Status: http.StatusBadRequest, Code: "InvalidOSSBucket.NotFound", Message: "The specified OSS bucket does not exist in this region."},
		openapi.Error{Status: http.StatusBadRequest, Code: "OssBucket.NotFound", Message: "The specified OssBucket does not exist."},
	}
	refuseBucketRegion = refusal{
		openapi.Error{Status: http.StatusBadRequest, Code: "InvalidOSSBucket.NotMatched", Message: "The specified OSS bucket is incorrect, it is in another region."}, // Guess: the end of the text.
		openapi.Error{Status: http.StatusBadRequest, Code: "OssBucket.NotFound", Message: "The specified OssBucket does not exist."},
	}
	refuseBucketEncryption = refusal{
		openapi.Error{Status: http.StatusForbidden, Code: "InvalidOSSBucket.EncryptUnsupported", Message: "Accessing objects from encrypted OSS bucket is not supported."},
		seedFailed,
	}
	refuseAuthorization = refusal{
		openapi.Error{Status: http.StatusForbidden, Code: "InvalidOSS.NotAuthorized", Message: "The specified OSS bucket or object is not allowed to access."},
		seedFailed,
	}
	refuseArchive = refusal{
		openapi.Error{Status: http.StatusBadRequest, Code: "InvalidOSSObject.NeedRestore", Message: "The specified OSS object is a archive object, need restore first."},
		seedFailed,
	}
	refuseConcurrent = refusal{
		openapi.Error{Status: http.StatusForbidden, Code: "ConcurrentQuotaExceed.ExportImage", Message: "The number of export tasks in progress has reached the maximum."}, // Guess: the text.
		seedFailed,
	}
	refuseWeekly = refusal{
		openapi.Error{Status: http.StatusForbidden, Code: "WeeklyQuotaExceed.ExportImage", Message: "The number of export tasks of this week has reached the maximum."}, // Guess: the text.
		seedFailed,
	}
	refuseFailed = refusal{
		openapi.Error{Status: http.StatusForbidden, Code: "ExportImageFailed", Message: "Exporting image is failed, Please contact the administrator."},
		seedFailed,
	}
	seedFailed = openapi.Error{Status: http.StatusForbidden, Code: "ExportImageFailed", Message: "Failed to export image."}
)

func (s *Server) refuse(r refusal) *openapi.Error {
	e := r.today
	if s.options.SeedDialect {
		e = r.seed
	}
	return &e
}
