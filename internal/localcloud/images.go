package localcloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/ossd"
)

// ImportRole is the only name of the role that ECS reads imports with, as the documents have it.
const ImportRole = "AliyunECSImageImportDefaultRole"

// PutImportRole creates or replaces the role that ECS reads imports with, with the trust and the permissions that the
// platform documents for it. Without it every import is refused.
func (c *Cloud) PutImportRole() {
	trust := account.Policy{Version: "1", Statement: []account.Statement{{
		Effect: "Allow", Action: account.Strings{"sts:AssumeRole"},
		Principal: &account.Principal{Service: account.Strings{"ecs.aliyuncs.com"}},
	}}}
	c.Directory.PutRole(ImportRole, trust, account.Policy{Version: "1", Statement: []account.Statement{{
		Effect: "Allow", Action: account.Strings{"oss:GetObject", "oss:GetBucketLocation", "oss:GetBucketInfo"}, Resource: account.Strings{"*"},
	}}})
}

// imageBuckets is OSS as ECS sees it when it writes an export or reads an import.
type imageBuckets struct{ oss *ossd.Server }

func (b imageBuckets) GetBucketInfo(ctx context.Context, as account.Identity, bucket string) (ecsd.BucketInfo, error) {
	spec, err := b.oss.GetBucketInfoAs(ctx, as, bucket)
	if err != nil {
		return ecsd.BucketInfo{}, bucketError(err)
	}
	return ecsd.BucketInfo{Region: spec.Region, SSEAlgorithm: spec.SSEAlgorithm, StorageClass: spec.StorageClass}, nil
}

func (b imageBuckets) PutObject(ctx context.Context, as account.Identity, bucket, key string, body content.Content) error {
	return bucketError(b.oss.PutContentAs(ctx, as, bucket, key, body))
}

func (b imageBuckets) HeadObject(ctx context.Context, as account.Identity, bucket, key string) (ecsd.ObjectInfo, error) {
	info, err := b.oss.HeadObjectAs(ctx, as, bucket, key)
	return ecsd.ObjectInfo{Size: info.Size, StorageClass: info.StorageClass}, bucketError(err)
}

func (b imageBuckets) GetObject(ctx context.Context, as account.Identity, bucket, key string) (content.Content, error) {
	body, err := b.oss.GetContentAs(ctx, as, bucket, key)
	return body, bucketError(err)
}

func bucketError(err error) error {
	var e *ossd.Error
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Code == "NoSuchBucket":
		return fmt.Errorf("%w: %w", ecsd.ErrNoSuchBucket, err)
	case e.Code == "NoSuchKey":
		return fmt.Errorf("%w: %w", ecsd.ErrNoSuchObject, err)
	case e.Status == http.StatusForbidden:
		return fmt.Errorf("%w: %w", ecsd.ErrDenied, err)
	}
	return err
}
