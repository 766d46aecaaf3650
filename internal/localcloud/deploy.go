package localcloud

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/fcd"
	"imageferry/internal/localcloud/ossd"
	"imageferry/policy"
)

// ExportRole is the only name of the role that ECS writes exports with, as the documents have it.
const ExportRole = "AliyunECSImageExportDefaultRole"

// Deploy does what a person does for a real deployment: creates the buckets that the s.yaml names (unless they are there),
// both roles from the documents in policy/, and the function with its triggers. It can be called once.
func (c *Cloud) Deploy(ctx context.Context, d Deployment) (fcd.Spec, error) {
	vars := map[string]string{"region": c.Region}
	maps.Copy(vars, d.Vars)
	spec, err := fcd.ParseSpec(d.Spec, vars)
	if err != nil {
		return fcd.Spec{}, fmt.Errorf("deploy: %w", err)
	}
	if err := c.prepareAccount(spec); err != nil {
		return fcd.Spec{}, fmt.Errorf("deploy: %w", err)
	}
	return spec, c.deployFunction(ctx, spec, d)
}

// deployFunction starts Function Compute with the one function.
func (c *Cloud) deployFunction(ctx context.Context, spec fcd.Spec, d Deployment) error {
	env := map[string]string{
		"FERRY_ECS_ENDPOINT": "http://" + c.Endpoints.ECS,
		"FERRY_OSS_ENDPOINT": "http://" + c.Endpoints.OSS,
		"FERRY_STS_ENDPOINT": "http://" + c.Endpoints.STS,
	}
	maps.Copy(env, d.Env)
	fc, err := fcd.New(fcd.Options{
		Region:       c.Region,
		AccountID:    c.Directory.ID(),
		Directory:    c.Directory,
		Tap:          c.Tap,
		Bus:          c.Bus,
		Speed:        c.options.Speed,
		Binary:       d.Binary,
		Env:          env,
		Timeout:      d.Timeout,
		Log:          c.options.Log,
		Output:       d.Output,
		RetryBase:    d.RetryBase,
		MaxInstances: d.MaxInstances,
	})
	if err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	c.FC = fc
	c.fc.set(fc)
	c.trigger.set(fc.HTTPTrigger())
	return fc.Deploy(ctx, spec)
}

// prepareAccount creates buckets and roles.
func (c *Cloud) prepareAccount(spec fcd.Spec) error {
	vars := c.PolicyVars(spec)
	for _, bucket := range []string{vars.Bucket, vars.ManifestBucket} {
		if _, ok := c.OSS.Bucket(bucket); ok {
			continue
		}
		if err := c.OSS.CreateBucket(ossd.BucketSpec{Name: bucket}); err != nil {
			return fmt.Errorf("create bucket: %w", err)
		}
	}
	roles := []deployedRole{
		{spec.Role, policy.FunctionTrust, []string{policy.FunctionPermissions}},
		{ExportRole, policy.ExportTrust, []string{policy.ExportPermissions}},
	}
	if spec.Environment["FERRY_RESTORE"] == "true" {
		roles[0].permissions = append(roles[0].permissions, policy.RestorePermissions)
		roles = append(roles, deployedRole{ImportRole, policy.ImportTrust, []string{policy.ImportPermissions}})
	}
	for _, role := range roles {
		if err := c.putRole(role, vars); err != nil {
			return err
		}
	}
	return nil
}

// A deployedRole is a role with the names of its documents in policy/.
type deployedRole struct {
	name, trust string
	permissions []string
}

func (c *Cloud) putRole(role deployedRole, vars policy.Vars) error {
	trust, err := c.document(role.trust, vars)
	if err != nil {
		return err
	}
	var permissions []account.Policy
	for _, name := range role.permissions {
		p, err := c.document(name, vars)
		if err != nil {
			return err
		}
		permissions = append(permissions, p)
	}
	c.Directory.PutRole(role.name, trust, permissions...)
	return nil
}

// PolicyVars are the names that the documents in policy/ need, as a spec gives them.
func (c *Cloud) PolicyVars(spec fcd.Spec) policy.Vars {
	vars := policy.Vars{
		Region:         c.Region,
		AccountID:      c.Directory.ID(),
		Bucket:         spec.Environment["FERRY_BUCKET"],
		ManifestBucket: spec.Environment["FERRY_MANIFEST_BUCKET"],
		ManifestPrefix: spec.Environment["FERRY_MANIFEST_PREFIX"],
		FailureQueue:   spec.Async.FailureQueue,
	}
	if vars.ManifestBucket == "" {
		vars.ManifestBucket = vars.Bucket
	}
	if vars.ManifestPrefix == "" {
		vars.ManifestPrefix = "imageferry/"
	}
	return vars
}

func (c *Cloud) document(name string, vars policy.Vars) (account.Policy, error) {
	text, err := policy.Render(name, vars)
	if err != nil {
		return account.Policy{}, err
	}
	p, err := account.ParsePolicy(text)
	if err != nil {
		return account.Policy{}, fmt.Errorf("read policy %s: %w", name, err)
	}
	return p, nil
}

// BuildFunction compiles the function of the module in dir for this machine and returns the path of the executable in out.
// What is deployed to the real cloud is compiled to be small; this is compiled to be there soon.
func BuildFunction(ctx context.Context, dir, out string) (string, error) {
	binary := filepath.Join(out, "main")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".") // #nosec G204 -- the toolchain, with a path that the caller chose
	cmd.Dir = dir
	// An interrupted build may leave its temporary folder behind: in out it goes with the rest.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOTMPDIR="+out)
	// Interrupted it waits for the compilers that it has started; killed it would not.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build function: %w: %s", err, text)
	}
	return binary, nil
}

// FindProject is the folder of the module imageferry at or above dir.
func FindProject(dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "s.yaml")); err == nil {
			if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
				return at, nil
			}
		}
		if at == filepath.Dir(at) {
			return "", errors.New("find project: neither this folder nor one above it holds go.mod and s.yaml: run this within a clone of imageferry")
		}
	}
}
