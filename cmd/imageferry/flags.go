package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"imageferry/internal/manifest"
)

// connectionFlag marks the flags that say where and as whom a command works.
const connectionFlag = "imageferry connection"

// A connection is where and as whom a command works, as its flags say.
type connection struct {
	profile, region, local, ossEndpoint                    string
	bucket, prefix, format, manifestBucket, manifestPrefix string
	verbose                                                bool
}

func (c *connection) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	for _, f := range []struct {
		value       *string
		name, usage string
	}{
		{&c.profile, "profile", "`name` of a profile of the aliyun command line (~/.aliyun/config.json)"},
		{&c.region, "region", "`id` of the region of the images (ALIBABA_CLOUD_REGION_ID)"},
		{&c.bucket, "bucket", "`name` of the bucket that images are exported to (FERRY_BUCKET)"},
		{&c.prefix, "prefix", "`letters` or digits before the names of the objects (FERRY_PREFIX)"},
		{&c.format, "format", "raw, vhd, qcow2, vmdk or vdi: the `format` of the images (FERRY_FORMAT)"},
		{&c.manifestBucket, "manifest-bucket", "`name` of the bucket of the manifests (FERRY_MANIFEST_BUCKET)"},
		{&c.manifestPrefix, "manifest-prefix", "`prefix` of the manifests' keys, with / at its end (FERRY_MANIFEST_PREFIX)"},
		{&c.ossEndpoint, "oss-endpoint", "`URL` of OSS (FERRY_OSS_ENDPOINT), by default the region's public endpoint"},
		{&c.local, "local", "work in the embedded cloud with this control `URL` (IMAGEFERRY_LOCAL)"},
	} {
		flags.StringVar(f.value, f.name, "", f.usage)
		_ = flags.SetAnnotation(f.name, connectionFlag, nil) // the flag is there
	}
	flags.BoolVarP(&c.verbose, "verbose", "v", false, "log what is tried again or repaired")
	_ = flags.SetAnnotation("verbose", connectionFlag, nil)
	complete(cmd, "format", "raw", "vhd", "qcow2", "vmdk", "vdi")
}

// variables are the FERRY_ variables that the flags stand for.
func (c *connection) variables() map[string]string {
	all := map[string]string{
		"FERRY_BUCKET": c.bucket, "FERRY_PREFIX": c.prefix, "FERRY_FORMAT": c.format, "FERRY_MANIFEST_BUCKET": c.manifestBucket,
		"FERRY_MANIFEST_PREFIX": c.manifestPrefix, "FERRY_OSS_ENDPOINT": c.ossEndpoint,
	}
	for name, value := range all {
		if value == "" {
			delete(all, name)
		}
	}
	return all
}

// complete offers fixed values for a flag, also after a comma.
func complete(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before, last := "", begun
		if i := strings.LastIndexByte(begun, ','); i >= 0 {
			before, last = begun[:i+1], begun[i+1:]
		}
		var fitting []cobra.Completion
		for _, v := range values {
			if strings.HasPrefix(v, last) {
				fitting = append(fitting, before+v)
			}
		}
		return fitting, cobra.ShellCompDirectiveNoFileComp
	}) // the flag is there
}

// An age is a duration that may have days and weeks: 36h, 7d, 2w, 1d12h.
type age time.Duration

func (a *age) String() string {
	if *a == 0 {
		return ""
	}
	return time.Duration(*a).String()
}

func (a *age) Type() string { return "age" }

func (a *age) Set(text string) error {
	d, err := parseAge(text)
	*a = age(d)
	return err
}

var bigUnits = regexp.MustCompile(`^(?:(\d{1,4})w)?(?:(\d{1,5})d)?(.*)$`)

func parseAge(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	parts := bigUnits.FindStringSubmatch(text)
	if text == "" || parts == nil {
		return 0, errAge
	}
	weeks, _ := strconv.Atoi(parts[1])
	days, _ := strconv.Atoi(parts[2])
	d := time.Duration(weeks)*7*day + time.Duration(days)*day
	if parts[3] != "" {
		rest, err := time.ParseDuration(parts[3])
		if err != nil || rest < 0 {
			return 0, errAge
		}
		d += rest
	}
	if d <= 0 {
		return 0, errAge
	}
	return d, nil
}

var errAge = errors.New("has to be an age above 0, such as 36h, 7d or 2w")

// images checks the arguments of a command that takes image ids, and leaves out what is repeated.
func images(args []string) ([]string, error) {
	var ids []string
	for _, id := range args {
		if !manifest.ValidImageID(id) {
			return nil, usage(advised{
				fmt.Errorf("%.80q is not the id of a custom image", id),
				"Ids are m- with letters and digits: imageferry report lists those of the account, imageferry list those exported.",
			})
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// someImages asks for one image at least.
func someImages(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage(fmt.Errorf("%s needs the id of an image, such as m-bp67acfmxazb4ph4e0vo", strings.TrimSpace(cmd.CommandPath())))
	}
	return nil
}
