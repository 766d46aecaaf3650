package ecsd

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/openapi"
)

type importResult struct {
	openapi.Header
	TaskID   string `json:"TaskId" xml:"TaskId"`
	RegionID string `json:"RegionId" xml:"RegionId"`
	ImageID  string `json:"ImageId" xml:"ImageId"`
}

const gib = 1 << 30

// importImage starts to make an image of the disks in OSS. Its checks follow in this order, which is a guess, because the
// platform documents none: region, the image's description, its disks, the ClientToken, the role, and for each disk bucket,
// object and size, then the name, a dry run and the quota. Tags need no permission of their own here. Guess: no document says
// that they do.
func (s *Server) importImage(ctx context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	s.mu.Lock()
	unsupported := s.conditions.RegionUnsupported
	s.mu.Unlock()
	switch {
	case req.Params.Get("RegionId") != s.options.Region:
		return nil, today(refuseRegion)
	case unsupported:
		return nil, today(refuseRegionSupport)
	}
	order, err := parseImport(req.Params)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	id, err := s.usedToken(req)
	s.mu.Unlock()
	if err == nil && id == "" {
		id, err = s.startCheckedImport(ctx, req, order)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &importResult{TaskID: id, RegionID: s.options.Region, ImageID: s.tasks.byID[id].ImageID}, nil
}

// startCheckedImport returns the id of the task.
func (s *Server) startCheckedImport(ctx context.Context, req *openapi.Request, order importOrder) (string, *openapi.Error) {
	if err := s.checkSources(ctx, order); err != nil {
		return "", err
	}
	if err := s.checkNewName(order.image.Name); err != nil {
		return "", err
	}
	if err := dryRun(req.Params); err != nil { // Guess: a dry run checks everything but the quota.
		return "", err
	}
	t, created, err := s.startImport(req, order)
	if err != nil {
		return "", err
	}
	if created {
		s.stateChanged(t.ImageID, StatusWaiting)
	}
	return t.ID, nil
}

// checkSources asks OSS, as the import role, about every disk.
func (s *Server) checkSources(ctx context.Context, order importOrder) *openapi.Error {
	role, err := s.assumeImportRole(order.role)
	if err != nil {
		return err
	}
	var seen []string
	for n, disk := range order.image.Disks {
		if !slices.Contains(seen, disk.ImportBucket) {
			if _, refused := s.inspectBucket(ctx, role, disk.ImportBucket); refused != nil {
				return importRefusal(*refused)
			}
			seen = append(seen, disk.ImportBucket)
		}
		info, err := s.options.Buckets.HeadObject(ctx, role, disk.ImportBucket, disk.ImportObject)
		switch {
		case err != nil:
			return importError(err)
		case info.Size == 0:
			return openapi.Errorf(http.StatusBadRequest, "InvalidOSSObject.Size", "The specified OSS object size is zero.")
		case archiveClass(info.StorageClass):
			return today(refuseArchive)
		case disk.Format == "raw" && disk.SizeGiB > 0 && info.Size > int64(disk.SizeGiB)*gib:
			return wrongSize(n) // Guess: a disk that is smaller than its file is refused at once.
		}
	}
	return nil
}

// assumeImportRole is ECS taking on the role. Guess: a role of another name is like none, because the documentation requires
// this exact name.
func (s *Server) assumeImportRole(name string) (account.Identity, *openapi.Error) {
	if name != importRole {
		return account.Identity{}, today(refuseRole)
	}
	role, err := s.options.Directory.AssumeByService("ecs.aliyuncs.com", name, "ecs-import", time.Hour)
	if err != nil {
		return account.Identity{}, today(refuseRole)
	}
	return role, nil
}

// today is a refusal in the words of today's API, which is the only one that imports.
func today(r refusal) *openapi.Error {
	e := r.today
	return &e
}

func importRefusal(r refusal) *openapi.Error {
	if r == refuseFailed {
		return openapi.Errorf(http.StatusForbidden, "ImportImageFailed",
			"Importing image is failed, Please contact the administrator.") // Guess: the text.
	}
	return today(r)
}

// importError is what an error of OSS means to an import.
func importError(err error) *openapi.Error {
	if errors.Is(err, ErrNoSuchObject) {
		return openapi.Errorf(http.StatusBadRequest, "InvalidOSSObject.NotFound", "The specified OSS object does not exist in this region.")
	}
	return importRefusal(bucketRefusal(err))
}

func imageIsImporting() *openapi.Error {
	return openapi.Errorf(http.StatusForbidden, "ImageIsImporting", "The specified Image is being imported.") // Guess: the text.
}

func (s *Server) checkNewName(name string) *openapi.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nameTaken(name)
}

// nameTaken refuses a name that an image of the account has. The caller holds the lock.
func (s *Server) nameTaken(name string) *openapi.Error {
	for _, other := range s.images.byID {
		if name != "" && other.Name == name && other.OwnerAlias == "self" {
			return openapi.Errorf(http.StatusBadRequest, "InvalidImageName.Duplicated", "The destination image is exist.")
		}
	}
	return nil
}

// startImport stores the image and its task, and reports whether they are new, rather than those of an earlier call with
// the same ClientToken.
func (s *Server) startImport(req *openapi.Request, order importOrder) (t *task, created bool, err *openapi.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := s.usedToken(req)
	if err != nil || id != "" {
		return s.tasks.byID[id], false, err // a concurrent call with the same token was faster
	}
	if err := s.nameTaken(order.image.Name); err != nil {
		return nil, false, err
	}
	if s.quotas.Images > 0 && s.ownImages() >= s.quotas.Images {
		return nil, false, openapi.Errorf(http.StatusForbidden, "QuotaExceed.Image", "The Image Quota exceeds.")
	}
	image := &order.image
	image.fill(s.options.Directory.ID(), req.Time)
	setDefault(&image.Name, image.ID)
	t = newImportTask(order, req.Time, s.scaled(s.importTime(image)))
	image.importing = t
	s.images.put(image)
	s.tasks.put(t)
	s.useToken(req, t.ID)
	t.stop = s.timers.after(t.duration/10, func(context.Context) { s.beginImport(t) })
	return t, true, nil
}

func (s *Server) ownImages() int {
	n := 0
	for _, image := range s.images.byID {
		if image.OwnerAlias == "self" {
			n++
		}
	}
	return n
}

// importTime is the platform's time for the import: by the sizes that were asked for, 1 GiB for a disk without one.
func (s *Server) importTime(image *Image) time.Duration {
	const reference = 40 // GiB
	total := 0
	for _, d := range image.Disks {
		total += max(1, d.SizeGiB)
	}
	return s.options.ImportDuration * time.Duration(total) / reference
}

func newImportTask(order importOrder, now time.Time, duration time.Duration) *task {
	t := &task{duration: duration, Task: Task{Action: ActionImport, ID: newID("t-bp1"), ImageID: order.image.ID, RoleName: order.role,
		Status: TaskProcessing, Created: now}}
	for _, d := range order.image.Disks {
		t.Subtasks = append(t.Subtasks, Subtask{Device: d.Device, Status: TaskProcessing, Bucket: d.ImportBucket, Object: d.ImportObject,
			Format: d.Format, sizeGiB: d.SizeGiB})
	}
	return t
}

// FailNextImport makes the next import of an image of the name that would succeed fail with the code and message.
func (s *Server) FailNextImport(imageName, code, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.importFail[imageName] = openapi.Error{Code: code, Message: message}
}
