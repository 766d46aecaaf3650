package ecsd_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/diskfile"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/trace"
)

func TestImportRefusals(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 129)
	many := imports(slices.Repeat([]string{"disk.raw"}, 18)...)
	tags := []string{}
	for n := range 21 {
		tags = append(tags, "Tag."+strconv.Itoa(n+1)+".Key", "k"+strconv.Itoa(n))
	}
	disk := func(pairs ...string) []string { return append(imports("disk.raw"), pairs...) }
	two := func(pairs ...string) []string { return append(imports("disk.raw", "disk.raw"), pairs...) }
	for name, tc := range map[string]struct {
		pairs  []string
		status int
		code   string
	}{
		"no region":               {disk("RegionId", ""), 400, "MissingParameter"},
		"another region":          {disk("RegionId", "cn-nowhere"), 400, "InvalidRegionId.NotFound"},
		"no disk":                 {nil, 403, "MissingParameter.DiskDeviceMapping"},
		"no bucket":               {[]string{"DiskDeviceMapping.1.OSSObject", "disk.raw"}, 400, "MissingParameter"},
		"no object":               {[]string{"DiskDeviceMapping.1.OSSBucket", "images"}, 400, "MissingParameter"},
		"short name":              {disk("ImageName", "x"), 400, "InvalidImageName.Malformed"},
		"long name":               {disk("ImageName", long), 400, "InvalidImageName.Malformed"},
		"name with a blank":       {disk("ImageName", "a b"), 400, "InvalidImageName.Malformed"},
		"name of the platform":    {disk("ImageName", "aliyun-1"), 400, "InvalidImageName.Malformed"},
		"name starts with digit":  {disk("ImageName", "1st"), 400, "InvalidImageName.Malformed"},
		"taken name":              {disk("ImageName", "taken"), 400, "InvalidImageName.Duplicated"},
		"description":             {disk("Description", "http://x"), 400, "InvalidDescription.Malformed"},
		"architecture":            {disk("Architecture", "riscv64"), 400, "InvalidArchitecture.Malformed"},
		"platform":                {disk("Platform", "Alibaba Cloud Linux"), 400, "InvalidPlatform.Malformed"},
		"operating system":        {disk("OSType", "bsd"), 400, "InvalidOSType.Malformed"},
		"contradiction":           {disk("OSType", "linux", "Platform", "Windows Server 2022"), 400, "InvalidPlatform.Malformed"},
		"license":                 {disk("LicenseType", "GPL"), 400, "InvalidLicenseType.NotSupported"},
		"arm64 with Windows":      {disk("Architecture", "arm64", "Platform", "Windows Server 2022"), 403, "InvalidArchitecture.PlatformUnsupported"},
		"boot mode":               {disk("BootMode", "UEFI-Preferred"), 400, "InvalidBootMode.Malformed"},
		"arm64 with BIOS":         {disk("Architecture", "arm64", "BootMode", "BIOS"), 400, "InvalidBootMode.NotSupport"},
		"detection":               {disk("DetectionStrategy", "Deep"), 400, "InvalidParameter.DetectionStrategy"},
		"IMDS":                    {disk("Features.ImdsSupport", "v3"), 400, "InvalidParameter.FeaturesImdsSupport"},
		"NVMe":                    {disk("Features.NvmeSupport", "yes"), 400, "InvalidParameter.FeaturesNvmeSupport"},
		"resource group":          {disk("ResourceGroupId", "default"), 404, "InvalidResourceGroup.NotFound"},
		"system tag":              {disk("Tag.1.Key", "acs:ecs:x"), 400, "InvalidTagKey.Malformed"},
		"platform's tag":          {disk("Tag.1.Key", "aliyun-x"), 400, "InvalidTagKey.Malformed"},
		"tag value":               {disk("Tag.1.Key", "k", "Tag.1.Value", "acs:x"), 400, "InvalidTagValue.Malformed"},
		"tag twice":               {disk("Tag.1.Key", "k", "Tag.2.Key", "k"), 403, "TagKey.Duplication"},
		"many tags":               {disk(tags...), 400, "InvalidTagCount"},
		"client token":            {disk("ClientToken", long), 400, "InvalidClientToken.Malformed"},
		"format":                  {disk("DiskDeviceMapping.1.Format", "VDI"), 400, "InvalidImageFormat.Malformed"},
		"format in preview":       {disk("DiskDeviceMapping.1.Format", "VMDK"), 403, "UserNotInTheWhiteList"},
		"archive":                 {imports("m-1_system.raw.tar.gz"), 400, "UnsupportedSuffix.OSSObject"},
		"packed":                  {imports("disk.ZIP"), 400, "UnsupportedSuffix.OSSObject"},
		"second is an archive":    {imports("disk.raw", "data.tgz"), 400, "UnsupportedSuffix.OSSObject"},
		"size 0":                  {disk("DiskDeviceMapping.1.DiskImageSize", "0"), 400, "InvalidImageSize"},
		"size 2049":               {disk("DiskDeviceMapping.1.DiskImageSize", "2049"), 400, "InvalidImageSize"},
		"size of data disk":       {two("DiskDeviceMapping.2.DiskImageSize", "2049"), 400, "InvalidDataDiskSize"},
		"too small":               {append(imports("large"), "DiskDeviceMapping.1.Format", "RAW", "DiskDeviceMapping.1.DiskImageSize", "1"), 400, "InvalidImageSize"},
		"device":                  {disk("DiskDeviceMapping.1.Device", "sda"), 403, "InvalidParameter.Malformed"},
		"bucket's name":           {[]string{"DiskDeviceMapping.1.OSSBucket", "Images", "DiskDeviceMapping.1.OSSObject", "k"}, 400, "InvalidOSSBucket.Malformed"},
		"object's name":           {imports("/disk.raw"), 400, "InvalidOSSObject.Malformed"},
		"missing bucket":          {[]string{"DiskDeviceMapping.1.OSSBucket", "absent", "DiskDeviceMapping.1.OSSObject", "k"}, 400, "InvalidOSSBucket.NotFound"},
		"bucket elsewhere":        {[]string{"DiskDeviceMapping.1.OSSBucket", "beijing", "DiskDeviceMapping.1.OSSObject", "k"}, 400, "InvalidOSSBucket.NotMatched"},
		"encrypted bucket":        {[]string{"DiskDeviceMapping.1.OSSBucket", "secret", "DiskDeviceMapping.1.OSSObject", "k"}, 403, "InvalidOSSBucket.EncryptUnsupported"},
		"missing object":          {imports("absent.raw"), 400, "InvalidOSSObject.NotFound"},
		"missing data disk":       {imports("disk.raw", "absent.raw"), 400, "InvalidOSSObject.NotFound"},
		"empty object":            {imports("empty.raw"), 400, "InvalidOSSObject.Size"},
		"archived object":         {imports("cold.raw"), 400, "InvalidOSSObject.NeedRestore"},
		"another role":            {disk("RoleName", exportRole), 403, "NoSetRoletoECSServiceAcount"},
		"dry run":                 {disk("DryRun", "true"), 400, "DryRunOperation"},
		"dry run of more than 17": {append(many, "DryRun", "true", "DiskDeviceMapping.18.OSSObject", "absent.raw"), 400, "DryRunOperation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newImporter(t)
			w.server.AddImage(ecsd.Image{ID: "m-1", Name: "taken"})
			w.buckets.put("empty.raw", content.Content{})
			w.buckets.put("cold.raw", content.Zeros(512))
			w.buckets.put("large", content.Zeros(1<<30+512))
			w.buckets.classes["images/cold.raw"] = "ColdArchive"
			w.buckets.info["beijing"] = ecsd.BucketInfo{Region: "cn-beijing"}
			w.buckets.info["secret"] = ecsd.BucketInfo{Region: "cn-hangzhou", SSEAlgorithm: "KMS"}
			w.fails(tc.status, tc.code, "ImportImage", tc.pairs...)
			if len(w.server.Tasks()) != 0 {
				t.Error("a refused import has a task")
			}
		})
	}
}

// Bytes that are not what they should be are found out by the task.
func TestImportsThatFail(t *testing.T) {
	t.Parallel()
	disk := ecsd.SampleDisk("x", 2<<30)
	encode := func(format string) content.Content {
		file, err := diskfile.Encode(format, disk)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	qcow2 := encode("qcow2")
	archive, err := diskfile.Pack("disk.raw", disk)
	if err != nil {
		t.Fatal(err)
	}
	const malformed = "InvalidImageFormat.Malformed"
	for name, tc := range map[string]struct {
		file   content.Content
		pairs  string
		change func(*world)
		code   string
	}{
		"archive as raw":       {archive, "DiskDeviceMapping.1.Format=RAW", nil, malformed},
		"archive, undeclared":  {archive, "", nil, malformed},
		"raw as qcow2":         {disk, "DiskDeviceMapping.1.Format=QCOW2", nil, malformed},
		"qcow2 as raw":         {qcow2, "DiskDeviceMapping.1.Format=RAW", nil, malformed},
		"truncated qcow2":      {qcow2.Slice(0, qcow2.Size()-1000), "DiskDeviceMapping.1.Format=QCOW2", nil, malformed},
		"truncated raw":        {disk.Slice(0, 1<<20+1), "", nil, malformed},
		"vmdk, undeclared":     {encode("vmdk"), "", nil, "UserNotInTheWhiteList"},
		"larger than its disk": {qcow2, "DiskDeviceMapping.1.DiskImageSize=1", nil, "InvalidImageSize"},
		"object deleted":       {disk, "", func(w *world) { w.buckets.remove("disk") }, "InvalidOSSObject.NotFound"},
		"role deleted":         {disk, "", func(w *world) { w.dir.DeleteRole(importRole) }, "NoSetRoletoECSServiceAcount"},
		"asked for":            {disk, "", func(w *world) { w.server.FailNextImport("restored", "ImportImageFailed", "told to") }, "ImportImageFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newImporter(t)
				w.buckets.put("disk", tc.file)
				pairs := append(imports("disk"), "ImageName", "restored")
				a := w.do("ImportImage", append(pairs, split(tc.pairs)...)...)
				if tc.change != nil {
					tc.change(w)
				}
				id := a.text("ImageId")
				time.Sleep(31 * time.Second) // of the 30 that 2 GiB take, or less
				synctest.Wait()
				task := w.do("DescribeTaskAttribute", "TaskId", a.text("TaskId"))
				operation := answer(task.at("OperationProgressSet", "OperationProgress", 0).(map[string]any))
				if task.text("TaskStatus") != "Failed" || operation.text("ErrorCode") != tc.code || operation.text("ErrorMsg") == "" {
					t.Errorf("task %v, want %s", task, tc.code)
				}
				if got := w.image(id).text("Status"); got != "Creating" {
					t.Errorf("image is %s as soon as its task has failed", got)
				}
				time.Sleep(time.Hour)
				if got := w.image(id).text("Status"); got != "CreateFailed" {
					t.Errorf("image is %s", got)
				}
				w.do("DeleteImage", "ImageId", id)
			})
		})
	}
}

// A fault at any call that the import role makes refuses the import or fails its task.
func TestFaultsOfOSSAtImport(t *testing.T) {
	t.Parallel()
	w := newImporter(t)
	w.tap.Inject(func(c trace.Call) trace.Fault {
		if c.Action == "oss:GetBucketLocation" {
			return trace.Fault{Cut: trace.CutBefore}
		}
		return trace.Fault{}
	})
	w.fails(403, "ImportImageFailed", "ImportImage", imports("disk.raw")...)
	w.tap.Inject(func(c trace.Call) trace.Fault {
		if c.Operation == "ImportImage" {
			return trace.Fault{Refuse: &trace.Refusal{Status: 400, Code: "Throttling"}}
		}
		return trace.Fault{}
	})
	w.fails(400, "Throttling", "ImportImage", imports("disk.raw")...)
	if len(w.server.Tasks()) != 0 {
		t.Error("a refused import has a task")
	}
}
