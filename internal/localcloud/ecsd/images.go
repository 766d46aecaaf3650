package ecsd

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"imageferry/internal/localcloud/content"
)

// Status of an image.
const (
	StatusCreating     = "Creating"
	StatusWaiting      = "Waiting"
	StatusAvailable    = "Available"
	StatusUnAvailable  = "UnAvailable"
	StatusCreateFailed = "CreateFailed"
	StatusDeprecated   = "Deprecated"
	statusDeleted      = "Deleted" // in events only
)

// An Image is a custom image of the account, or one of others that the account sees.
type Image struct {
	ID, Name, Description string
	Family, Version       string
	// Status is one of the constants above.
	Status string
	// OwnerAlias is self, system, others or marketplace; self when empty.
	OwnerAlias string
	// OwnerAccount is the id of the owner's account; the server's own when empty.
	OwnerAccount string
	// ProductCode is set for images that derive from one of the marketplace.
	ProductCode string
	// OSType is linux or windows; linux when empty.
	OSType                         string
	OSName, Platform, Architecture string
	BootMode                       string
	ResourceGroupID                string
	// Usage is instance when an instance was created from the image, otherwise none.
	Usage string
	// Progress is the creation's, such as "100%".
	Progress         string
	CreationTime     time.Time
	Public, Copied   bool
	CloudInit        bool
	NvmeSupport      bool
	LoginAsNonRoot   bool
	ImdsV2           bool
	LicenseForbidden bool // the license of the operating system forbids the export
	Tags             map[string]string
	// Disks are the system disk and the data disks; one system disk of 40 GiB when empty.
	Disks []Disk

	importing *task // the import that the image is not yet the outcome of
}

// A Disk is the snapshot of one disk in an image.
type Disk struct {
	// Device is the mount point, such as "/dev/xvda".
	Device string
	// Type is system or data.
	Type string
	// SizeGiB is the size of the disk.
	SizeGiB    int
	SnapshotID string
	Encrypted  bool
	// Content is the disk's bytes; a few KiB that follow from the image's id and the device when it is empty. They may be
	// fewer than SizeGiB says: only what the disk holds is exported.
	Content content.Content
	// Format, ImportBucket and ImportObject say what an imported disk was read from.
	Format, ImportBucket, ImportObject string
}

// system is the size of the image's system disk in GiB, which is what the platform reports as its size.
func (i *Image) system() int {
	for _, d := range i.Disks {
		if d.Type == "system" {
			return d.SizeGiB
		}
	}
	return 0
}

func (i *Image) clone() Image {
	c := *i
	c.Tags, c.Disks = maps.Clone(i.Tags), slices.Clone(i.Disks)
	return c
}

// fill sets what an image needs and its maker left out.
func (i *Image) fill(accountID string, now time.Time) {
	setDefault(&i.ID, newID("m-bp1"))
	setDefault(&i.Status, StatusAvailable)
	setDefault(&i.OwnerAlias, "self")
	setDefault(&i.OwnerAccount, accountID)
	setDefault(&i.OSType, "linux")
	setDefault(&i.Architecture, "x86_64")
	setDefault(&i.BootMode, "BIOS")
	setDefault(&i.Usage, "none")
	setDefault(&i.Progress, "100%")
	if i.OSType == "windows" {
		setDefault(&i.Platform, "Windows Server 2022")
	}
	setDefault(&i.Platform, "Aliyun")
	setDefault(&i.OSName, i.Platform+" 64 bit")
	if i.CreationTime.IsZero() {
		i.CreationTime = now
	}
	i.CreationTime = i.CreationTime.UTC().Truncate(time.Second)
	if len(i.Disks) == 0 {
		i.Disks = []Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 40}}
	}
	for n := range i.Disks {
		setDefault(&i.Disks[n].SnapshotID, newID("s-bp1"))
	}
}

func setDefault(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// imageStore holds the images; the server's lock guards it.
type imageStore struct {
	byID   map[string]*Image
	newest []*Image // newest first, once sorted
	sorted bool
}

func (st *imageStore) put(image *Image) {
	if old, ok := st.byID[image.ID]; ok {
		*old = *image
	} else {
		st.byID[image.ID] = image
		st.newest = append(st.newest, image)
	}
	st.sorted = false
}

func (st *imageStore) remove(id string) {
	delete(st.byID, id)
	st.newest = slices.DeleteFunc(st.newest, func(i *Image) bool { return i.ID == id })
}

// ordered returns the images newest first. Sorting waits for the first reader, so that adding many images stays cheap.
func (st *imageStore) ordered() []*Image {
	if !st.sorted {
		slices.SortFunc(st.newest, func(a, b *Image) int {
			return cmp.Or(b.CreationTime.Compare(a.CreationTime), cmp.Compare(a.ID, b.ID))
		})
		st.sorted = true
	}
	return st.newest
}

// AddImage stores an image as it is, whatever the API would say to it, and returns its id. An image with the same id is
// replaced. No event is fired.
func (s *Server) AddImage(image Image) string {
	image = image.clone()
	image.fill(s.options.Directory.ID(), time.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.images.put(&image)
	return image.ID
}

// Image returns an image and whether it exists.
func (s *Server) Image(id string) (Image, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	image, ok := s.images.byID[id]
	if !ok {
		return Image{}, false
	}
	return image.clone(), true
}

// SetImage changes an image, except for its id, and fires an event if its status changes. It reports whether the image
// exists; change is not called if not.
func (s *Server) SetImage(id string, change func(*Image)) bool {
	changed, status, ok := s.setImage(id, change)
	if changed {
		s.stateChanged(id, status)
	}
	return ok
}

func (s *Server) setImage(id string, change func(*Image)) (changed bool, status string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	image, ok := s.images.byID[id]
	if !ok {
		return false, "", false
	}
	before := image.Status
	created := image.CreationTime
	next := image.clone()
	change(&next)
	next.ID = id
	*image = next
	if !created.Equal(image.CreationTime) {
		s.images.sorted = false
	}
	return image.Status != before, image.Status, true
}

// RemoveImage deletes an image even while it is exported, and reports whether it existed. No event is fired.
func (s *Server) RemoveImage(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.images.byID[id]
	if ok {
		s.images.remove(id)
	}
	return ok
}
