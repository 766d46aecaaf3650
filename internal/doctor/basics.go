package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"imageferry/internal/config"
	"imageferry/internal/export"
)

// credentials finds out who calls. It is usable == false when the services refuse the credentials, and an error when there
// are none, or nobody answers and so nothing can be checked.
func (e *examination) credentials(ctx context.Context) (usable bool, err error) {
	e.caller, err = e.Identities.Caller(ctx)
	if err == nil {
		e.report.AccountID = e.caller.AccountID
		e.ok("credentials", "", fmt.Sprintf("%s of account %s", e.caller.ARN, e.caller.AccountID))
		return true, nil
	}
	call, ok := errors.AsType[*export.CallError](err)
	if !ok || call.Status == 0 || call.Status >= 500 {
		return false, err
	}
	e.problem("credentials", "", "STS refuses the credentials: "+err.Error(),
		"aliyun configure", "unset ALIBABA_CLOUD_ACCESS_KEY_ID ALIBABA_CLOUD_ACCESS_KEY_SECRET ALIBABA_CLOUD_SECURITY_TOKEN")
	return false, nil
}

// configuration repeats what the reading of the configuration has reported.
func (e *examination) configuration(err error) {
	problems, ok := errors.AsType[config.Problems](err)
	if !ok {
		e.problem("configuration", "", err.Error(), "Correct environmentVariables in s.yaml, then: s deploy -y")
		return
	}
	for _, p := range problems {
		e.problem("configuration", p.Variable, p.Variable+" "+p.Wrong,
			fmt.Sprintf("Set %s in environmentVariables of s.yaml to %s; then: s deploy -y", p.Variable, p.Allowed))
	}
}

// formatRegions are those for which ECS documents formats other than raw. The list there begins with "including".
var formatRegions = []string{
	"ap-northeast-1", "ap-southeast-1", "ap-southeast-3", "ap-southeast-5", "eu-central-1", "eu-west-1", "me-east-1", "us-east-1",
	"us-west-1",
}

func (e *examination) region(ctx context.Context) {
	region := e.options.Region
	known, err := e.Compute.Regions(ctx)
	switch {
	case err != nil:
		e.unknown("region", region, err.Error(), "aliyun ecs DescribeRegions --RegionId cn-hangzhou")
	case !slices.Contains(known, region):
		e.problem("region", region, fmt.Sprintf("ECS does not know the region %s", region),
			"aliyun ecs DescribeRegions --RegionId cn-hangzhou", "imageferry doctor --region <one of them>")
	default:
		e.ok("region", region, "ECS knows "+region)
	}
	format := e.options.Config.Format
	switch {
	case format == "" || format == "raw":
		e.ok("region-format", "", "every region exports raw images")
	case slices.Contains(formatRegions, region):
		e.ok("region-format", "", fmt.Sprintf("%s exports %s images", region, format))
	default:
		e.unknown("region-format", "", fmt.Sprintf("%s is not among the regions that are documented to export %s images", region, format),
			"Set FERRY_FORMAT in environmentVariables of s.yaml to raw; then: s deploy -y")
	}
}

// compute makes the calls that a person's commands make on ECS.
func (e *examination) compute(ctx context.Context) {
	images, err := e.Compute.CountImages(ctx)
	if err != nil {
		e.refused("may-describe-images", err, "ecs:DescribeImages", "acs:ecs:"+e.options.Region+":"+e.caller.AccountID+":image/*")
	} else {
		e.ok("may-describe-images", "", plural(images, "image")+" of this account are available")
	}
	if _, err := e.Compute.CountExporting(ctx); err != nil {
		e.refused("may-describe-tasks", err, "ecs:DescribeTasks", "*")
	} else {
		e.ok("may-describe-tasks", "", "tasks can be read")
	}
}

// refused reports a call that the caller could not make.
func (e *examination) refused(check string, err error, action, resource string) {
	if !denied(err) {
		e.unknown(check, "", err.Error(), "imageferry doctor")
		return
	}
	e.problem(check, "", err.Error(), e.allowCaller(action, resource)...)
}

// allowCaller are the commands that give the caller a permission.
func (e *examination) allowCaller(action, resource string) []string {
	name := "imageferry-" + strings.ToLower(strings.ReplaceAll(action, ":", "-"))
	kind, who := "User", "--UserName "
	subject := e.caller.ARN[strings.LastIndexByte(e.caller.ARN, '/')+1:]
	if _, session, ok := strings.Cut(e.caller.ARN, ":assumed-role/"); ok {
		kind, who = "Role", "--RoleName "
		subject, _, _ = strings.Cut(session, "/")
	}
	document := fmt.Sprintf(`{"Version":"1","Statement":[{"Effect":"Allow","Action":%q,"Resource":%q}]}`, action, resource)
	return []string{
		fmt.Sprintf("aliyun ram CreatePolicy --PolicyName %s --PolicyDocument '%s'", name, document),
		fmt.Sprintf("aliyun ram AttachPolicyTo%s --PolicyType Custom --PolicyName %s %s%s", kind, name, who, subject),
	}
}

// clock compares this machine's clock with OSS's. Its answers tell whole seconds, and came at some time during the call.
func (e *examination) clock(ctx context.Context) {
	before := e.now()
	theirs, err := e.Storage.Time(ctx, e.options.Config.Bucket)
	after := e.now()
	if err != nil {
		e.unknown("clock", "", err.Error(), "timedatectl status")
		return
	}
	var off time.Duration
	switch {
	case theirs.Add(time.Second).Before(before):
		off = before.Sub(theirs.Add(time.Second))
	case theirs.After(after):
		off = after.Sub(theirs)
	}
	switch limit := e.options.Config.ClockSkew; {
	case off == 0:
		e.ok("clock", "", "this machine's clock agrees with OSS's to the second")
	case off.Abs() <= limit:
		e.ok("clock", "", fmt.Sprintf("this machine's clock is %s, FERRY_CLOCK_SKEW allows %v", ahead(off), limit))
	default:
		e.problem("clock", "", fmt.Sprintf("this machine's clock is %s, FERRY_CLOCK_SKEW allows %v: leases seem to end at other times here",
			ahead(off), limit), "sudo timedatectl set-ntp true")
	}
}

func ahead(off time.Duration) string {
	if off < 0 {
		return fmt.Sprintf("%v behind OSS's", off.Abs().Round(time.Second))
	}
	return fmt.Sprintf("%v ahead of OSS's", off.Round(time.Second))
}
