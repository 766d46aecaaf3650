package ecsd

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"imageferry/internal/localcloud/openapi"
)

// Conditions are what the platform may hold against every export of an account, and RegionUnsupported against every import. The zero Conditions hold nothing.
type Conditions struct {
	// RegionUnsupported refuses with InvalidRegion.NotSupport.
	RegionUnsupported bool
	// NotWhitelisted refuses with UserNotInTheWhiteList.
	NotWhitelisted bool
}

// SetConditions replaces the conditions of the account.
func (s *Server) SetConditions(c Conditions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conditions = c
}

// defaultRole is the export role's name, the only one that the API of 2017 knows.
const defaultRole = "AliyunECSImageExportDefaultRole"

const (
	maxDataDisks   = 4
	maxDataDiskGiB = 500
)

var (
	exportPrefix = regexp.MustCompile(`^[0-9A-Za-z]{1,30}$`)
	// formats are those of ImageFormat. They are compared without case, because the platform's own client sends them in
	// upper case.
	formats = []string{"raw", "vhd", "qcow2", "vmdk", "vdi"}
)

// An exportOrder is what a call of ExportImage asks for.
type exportOrder struct {
	imageID, bucket, prefix, format, role string
}

type exportResult struct {
	openapi.Header
	TaskID   string `json:"TaskId" xml:"TaskId"`
	RegionID string `json:"RegionId" xml:"RegionId"`
}

type seedExportResult struct {
	openapi.Header
	ExportTaskID string `json:"ExportTaskId" xml:"ExportTaskId"`
	RegionID     string `json:"RegionId" xml:"RegionId"`
}

// exportImage starts an export task. Its checks follow in this order, which is a guess, because the platform documents
// none: missing parameters, region, prefix and format, the image (existence, ownership, marketplace, license, status,
// encryption, disks), the whitelist, a task of the same image, the role, the bucket (existence, location, encryption,
// storage class) and the quotas.
func (s *Server) exportImage(ctx context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	if s.options.SeedDialect {
		return s.exportSeed(ctx, req)
	}
	order, err := s.parseOrder(req)
	if err != nil {
		return nil, err
	}
	id, err := s.export(ctx, req, order)
	if err != nil {
		return nil, err
	}
	return &exportResult{TaskID: id, RegionID: s.options.Region}, nil
}

// exportSeed is exportImage as of 2017: a repeated ClientToken is answered with the task of the first call.
func (s *Server) exportSeed(ctx context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	order, err := s.parseOrder(req)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	id, err := s.usedToken(req)
	s.mu.Unlock()
	if err == nil && id == "" {
		id, err = s.export(ctx, req, order)
	}
	if err != nil {
		return nil, err
	}
	return &seedExportResult{ExportTaskID: id, RegionID: s.options.Region}, nil
}

func (s *Server) parseOrder(req *openapi.Request) (exportOrder, *openapi.Error) {
	p := req.Params
	order := exportOrder{imageID: p.Get("ImageId"), bucket: p.Get("OssBucket"), prefix: p.Get("OssPrefix"), format: "raw", role: defaultRole}
	if !s.options.SeedDialect {
		order.bucket, order.prefix = p.Get("OSSBucket"), p.Get("OSSPrefix")
		override(&order.format, strings.ToLower(p.Get("ImageFormat")))
		override(&order.role, p.Get("RoleName"))
	}
	s.mu.Lock()
	unsupported := s.conditions.RegionUnsupported
	s.mu.Unlock()
	switch {
	case p.Get("RegionId") != s.options.Region:
		return exportOrder{}, s.refuse(refuseRegion)
	case unsupported:
		return exportOrder{}, s.refuse(refuseRegionSupport)
	case order.prefix != "" && !exportPrefix.MatchString(order.prefix):
		return exportOrder{}, s.refuse(refusePrefix)
	case !slices.Contains(formats, order.format):
		return exportOrder{}, s.refuse(refuseFormat)
	case order.format != "raw" && !slices.Contains(formatRegions, s.options.Region):
		// Guess: the documentation says both that the format is ignored there and that it is refused.
		return exportOrder{}, s.refuse(refuseFormatRegion)
	}
	return order, nil
}

func override(field *string, value string) {
	if value != "" {
		*field = value
	}
}

// export checks an order and starts its task.
func (s *Server) export(ctx context.Context, req *openapi.Request, order exportOrder) (string, *openapi.Error) {
	if err := s.checkImage(order.imageID); err != nil {
		return "", err
	}
	role, assumeErr := s.options.Directory.AssumeByService("ecs.aliyuncs.com", order.role, "ecs-export", time.Hour)
	if assumeErr != nil {
		return "", s.refuse(refuseRole)
	}
	if err := s.checkBucket(ctx, role, order.bucket); err != nil {
		return "", err
	}
	if !s.options.SeedDialect {
		if err := dryRun(req.Params); err != nil { // Guess: a dry run checks everything but the quotas.
			return "", err
		}
	}
	return s.startExport(req, order)
}

func (s *Server) checkImage(id string) *openapi.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	image, ok := s.images.byID[id]
	if !ok {
		return s.refuse(refuseMissingImage)
	}
	if r, refused := unexportable(image); refused {
		return s.refuse(r)
	}
	if s.conditions.NotWhitelisted {
		return s.refuse(refuseWhitelist)
	}
	if s.tasks.live(id) != nil {
		return s.refuse(refuseExporting)
	}
	return nil
}

// unexportable tells what in the image forbids its export.
func unexportable(image *Image) (refusal, bool) {
	data := 0
	for _, d := range image.Disks {
		if d.Type == "data" {
			data++
		}
	}
	switch {
	case image.OwnerAlias != "self":
		return refuseCategory, true
	case image.ProductCode != "":
		return refuseMarketplace, true
	case image.OSType == "windows" || image.LicenseForbidden:
		// Guess: this code. That Windows Server cannot be exported is documented.
		return refuseLicense, true
	case image.Status != StatusAvailable:
		return refuseStatus, true
	case slices.ContainsFunc(image.Disks, func(d Disk) bool { return d.Encrypted }):
		return refuseEncrypted, true
	case data > maxDataDisks,
		slices.ContainsFunc(image.Disks, func(d Disk) bool { return d.Type == "data" && d.SizeGiB > maxDataDiskGiB }):
		return refuseDisks, true
	}
	return refusal{}, false
}

// startExport creates the task, unless the image has changed or is exported since it was checked, or a quota is used up.
func (s *Server) startExport(req *openapi.Request, order exportOrder) (string, *openapi.Error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.options.SeedDialect {
		if id, err := s.usedToken(req); err != nil || id != "" {
			return id, err // a concurrent call with the same token was faster
		}
	}
	image, ok := s.images.byID[order.imageID]
	if !ok {
		return "", s.refuse(refuseMissingImage)
	}
	if s.tasks.live(order.imageID) != nil {
		return "", s.refuse(refuseExporting)
	}
	if err := s.checkQuotas(now); err != nil {
		return "", err
	}
	s.submitted = append(s.submitted, now)
	t := newTask(order, image, now, s.scaled(s.exportTime(image)))
	s.tasks.put(t)
	t.stop = s.timers.after(t.duration, func(ctx context.Context) { s.finishExport(ctx, t) })
	if s.options.SeedDialect {
		s.useToken(req, t.ID)
	}
	return t.ID, nil
}

// exportTime is the platform's time for the export of the image.
func (s *Server) exportTime(image *Image) time.Duration {
	const reference = 40 // GiB
	total := 0
	for _, d := range image.Disks {
		total += d.SizeGiB
	}
	return s.options.ExportDuration * time.Duration(total) / reference
}
