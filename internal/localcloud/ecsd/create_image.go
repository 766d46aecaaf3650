package ecsd

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"imageferry/internal/localcloud/openapi"
)

type createImageResult struct {
	openapi.Header
	ImageID string `json:"ImageId" xml:"ImageId"`
}

// createImage starts the creation of an image from an instance, a snapshot or several snapshots, all of which are
// accepted as they are. The image is Creating for a while and then Available.
func (s *Server) createImage(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	image, err := parseNewImage(req.Params)
	if err != nil {
		return nil, err
	}
	if err := dryRun(req.Params); err != nil {
		return nil, err
	}
	id, created, err := s.storeNewImage(req, image)
	if err != nil {
		return nil, err
	}
	if created {
		s.stateChanged(id, StatusCreating)
		s.timers.after(s.scaled(s.options.CreateDuration), func(context.Context) { s.finishCreation(id) })
	}
	return &createImageResult{ImageID: id}, nil
}

// storeNewImage reports whether the image is new, rather than that of an earlier call with the same ClientToken.
func (s *Server) storeNewImage(req *openapi.Request, image Image) (id string, created bool, err *openapi.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, err := s.usedToken(req); err != nil || id != "" {
		return id, false, err
	}
	if err := s.nameTaken(image.Name); err != nil {
		return "", false, err
	}
	image.fill(s.options.Directory.ID(), req.Time)
	setDefault(&image.Name, image.ID) // Guess: an image without a name is called by its id.
	s.images.put(&image)
	s.useToken(req, image.ID)
	return image.ID, true, nil
}

func (s *Server) finishCreation(id string) {
	s.mu.Lock()
	image, ok := s.images.byID[id]
	ok = ok && image.Status == StatusCreating // not deleted, not failed
	if ok {
		image.Status, image.Progress = StatusAvailable, "100%"
	}
	s.mu.Unlock()
	if ok {
		s.stateChanged(id, StatusAvailable)
	}
}

func parseNewImage(p openapi.Params) (Image, *openapi.Error) {
	image := Image{
		Name: p.Get("ImageName"), Family: p.Get("ImageFamily"), Version: p.Get("ImageVersion"), Description: p.Get("Description"),
		Architecture: p.Get("Architecture"), Platform: p.Get("Platform"), BootMode: p.Get("BootMode"),
		ResourceGroupID: p.Get("ResourceGroupId"), Status: StatusCreating, Progress: "0%",
	}
	if strings.Contains(strings.ToLower(image.Platform), "windows") {
		image.OSType = "windows"
	}
	if !validName(image.Name) {
		return Image{}, openapi.Errorf(http.StatusBadRequest, "InvalidImageName.Malformed", "The specified Image name is wrongly formed.")
	}
	tags := parseTags(p)
	if len(tags) > 0 {
		image.Tags = map[string]string{}
	}
	for _, tag := range tags {
		image.Tags[tag["Key"]] = tag["Value"]
	}
	var err *openapi.Error
	image.Disks, err = parseDisks(p)
	return image, err
}

// validName checks 2 to 128 characters that start with a letter, and are not the platform's own.
func validName(name string) bool {
	if name == "" {
		return true
	}
	letter := name[0]|0x20 >= 'a' && name[0]|0x20 <= 'z' || name[0] >= 0x80
	return letter && len(name) >= 2 && len([]rune(name)) <= 128 && !strings.HasPrefix(name, "acs:") &&
		!strings.HasPrefix(name, "aliyun") && !strings.Contains(name, "http://") && !strings.Contains(name, "https://")
}

// parseDisks makes the disks of the image. An instance or one snapshot stands for a system disk alone.
func parseDisks(p openapi.Params) ([]Disk, *openapi.Error) {
	mappings := p.Structs("DiskDeviceMapping", "Device", "DiskType", "Size", "SnapshotId")
	if len(mappings) == 0 {
		if p.Get("InstanceId") == "" && p.Get("SnapshotId") == "" {
			return nil, openapi.Missing("InstanceId")
		}
		return []Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 40, SnapshotID: p.Get("SnapshotId")}}, nil
	}
	disks := make([]Disk, 0, len(mappings))
	for n, m := range mappings {
		disk := Disk{Device: m["Device"], Type: m["DiskType"], SizeGiB: 40, SnapshotID: m["SnapshotId"]}
		if n == 0 {
			setDefault(&disk.Type, "system") // Guess: the first mapping is the system disk's unless it says otherwise.
		}
		setDefault(&disk.Type, "data")
		setDefault(&disk.Device, "/dev/xvd"+string(rune('a'+n%26)))
		if m["Size"] != "" {
			size, err := strconv.Atoi(m["Size"])
			if err != nil || size < 1 {
				return nil, openapi.Invalid("DiskDeviceMapping." + strconv.Itoa(n+1) + ".Size")
			}
			disk.SizeGiB = size
		}
		disks = append(disks, disk)
	}
	return disks, nil
}
