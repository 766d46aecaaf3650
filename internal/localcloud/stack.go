package localcloud

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/localcloud/rosd"
)

// A StackDeployment is what [Cloud.DeployStack] makes a stack of.
type StackDeployment struct {
	// Template is the text of a ROS template, and Parameters the values for it.
	Template   []byte
	Parameters map[string]string
	// Folder receives the binary out of the code package.
	Folder string
	// Env, Output, Timeout and RetryBase are those of a [Deployment].
	Env       map[string]string
	Output    io.Writer
	Timeout   time.Duration
	RetryBase time.Duration
}

// DeployStack creates the stack of a template as ROS does: the buckets and roles that it describes, with its own documents,
// and the function, whose code is the package that lies in OSS already and has to be for this kind of machine. It can be
// called once, instead of Deploy.
func (c *Cloud) DeployStack(ctx context.Context, d StackDeployment) (rosd.Stack, error) {
	stack, err := rosd.Read(rosd.Request{
		Template: d.Template, Region: c.Region, AccountID: c.Directory.ID(), Parameters: d.Parameters,
	})
	if err != nil {
		return rosd.Stack{}, fmt.Errorf("deploy stack: %w", err)
	}
	for _, b := range stack.Buckets {
		if err := c.OSS.CreateBucket(ossd.BucketSpec{Name: b.Name, ACL: b.ACL}); err != nil {
			return rosd.Stack{}, fmt.Errorf("deploy stack: create bucket: %w", err)
		}
	}
	for _, r := range stack.Roles {
		c.Directory.PutRole(r.Name, r.Trust, r.Permissions...)
	}
	binary, err := c.unpack(stack.Code, stack.Function.Handler, d.Folder)
	if err != nil {
		return rosd.Stack{}, fmt.Errorf("deploy stack: %w", err)
	}
	return stack, c.deployFunction(ctx, stack.Function, Deployment{
		Binary: binary, Env: d.Env, Output: d.Output, Timeout: d.Timeout, RetryBase: d.RetryBase,
	})
}

// unpack takes the handler out of a code package, as the runtime go1 does: it has to be there under its name, executable.
func (c *Cloud) unpack(code rosd.Object, handler, folder string) (string, error) {
	content, ok := c.OSS.Content(code.Bucket, code.Key)
	if !ok {
		return "", fmt.Errorf("unpack code: there is no object oss://%s/%s", code.Bucket, code.Key)
	}
	archive, err := zip.NewReader(content, content.Size())
	if err != nil {
		return "", fmt.Errorf("unpack code: %w", err)
	}
	for _, file := range archive.File {
		if file.Name != handler {
			continue
		}
		if mode := file.Mode(); !mode.IsRegular() || mode&0o111 == 0 {
			return "", fmt.Errorf("unpack code: %s has the mode %v and cannot be run", handler, mode)
		}
		return copyOut(file, filepath.Join(folder, handler))
	}
	return "", fmt.Errorf("unpack code: the package has no file %s", handler)
}

func copyOut(file *zip.File, path string) (string, error) {
	from, err := file.Open()
	if err != nil {
		return "", fmt.Errorf("unpack code: %w", err)
	}
	defer func() { _ = from.Close() }()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700) // #nosec G302 -- it is to be run
	if err != nil {
		return "", fmt.Errorf("unpack code: %w", err)
	}
	_, err = io.CopyN(to, from, int64(file.UncompressedSize64)) // #nosec G115 -- a package of a few MB
	if err = errors.Join(err, to.Close()); err != nil {
		return "", fmt.Errorf("unpack code: %w", err)
	}
	return path, nil
}
