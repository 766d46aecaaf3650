// Package ecsd is the embedded ECS: custom images, and the tasks that export them into OSS buckets and import them from
// there, over its RPC API.
// Of snapshots there are only those that deleted images leave behind. Instances and everything else of ECS are not modelled.
package ecsd

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/trace"
)

// Options are what a Server is made of. Directory, Tap and Buckets are required.
type Options struct {
	// Region is the only region that the server answers for, "cn-hangzhou" when empty.
	Region    string
	Directory *account.Directory
	Tap       *trace.Tap
	Buckets   Buckets
	// Events, if set, learns of state changes and write calls.
	Events Events
	// Speed is how much faster than real time images and tasks progress: 60, also when it is 0, runs a minute of the
	// platform's time in a second.
	Speed float64
	// SeedDialect answers ExportImage as in 2017: other parameter names, error codes and answer, and a ClientToken.
	SeedDialect bool
	Quotas      Quotas
	// ExportDuration is the platform's time that exporting 40 GiB takes, in proportion for other sizes; 10 minutes when 0.
	ExportDuration time.Duration
	// CreateDuration is the platform's time from CreateImage until the image is available; 3 minutes when 0.
	CreateDuration time.Duration
	// ImportDuration is the platform's time that importing 40 GiB takes, in proportion for other sizes; 10 minutes when 0.
	ImportDuration time.Duration
	// ImportSettle is the platform's time from the end of an import's task until its image is available; a minute when 0.
	ImportSettle time.Duration
	// Log is slog.Default() when nil.
	Log *slog.Logger
}

// A Server is the ECS of one account in one region. Its methods are safe for concurrent use.
type Server struct {
	options Options
	service openapi.Service
	timers  *timers

	mu         sync.Mutex
	images     imageStore
	tasks      taskStore
	quotas     Quotas
	submitted  []time.Time // of the exports that count towards the weekly quota, oldest first
	conditions Conditions
	failures   map[string]openapi.Error // by image, for the next export that ends
	importFail map[string]openapi.Error // by the name of the image, for the next import that ends
	tokens     map[string]tokenUse
	snapshots  map[string]bool // that deleted images have left behind
}

// New returns a Server without images. Close it after use.
func New(options Options) *Server {
	s := &Server{
		options:  withDefaults(options),
		timers:   newTimers(),
		images:   imageStore{byID: map[string]*Image{}},
		tasks:    taskStore{byID: map[string]*task{}, byImage: map[string][]*task{}},
		quotas:   options.Quotas,
		failures: map[string]openapi.Error{},
		tokens:   map[string]tokenUse{},

		importFail: map[string]openapi.Error{},
		snapshots:  map[string]bool{},
	}
	s.service = openapi.Service{
		Name: "ecs", Version: "2014-05-26", Operations: s.operations(),
		Directory: s.options.Directory, Tap: s.options.Tap, Log: s.options.Log, Done: s.called,
		Denied: openapi.Errorf(http.StatusForbidden, "Forbidden.RAM",
			"User not authorized to operate on the specified resource, or this API doesn't support RAM."),
	}
	return s
}

func withDefaults(o Options) Options {
	if o.Region == "" {
		o.Region = "cn-hangzhou"
	}
	if o.Speed <= 0 {
		o.Speed = 60
	}
	if o.ExportDuration <= 0 {
		o.ExportDuration = 10 * time.Minute
	}
	if o.CreateDuration <= 0 {
		o.CreateDuration = 3 * time.Minute
	}
	if o.ImportDuration <= 0 {
		o.ImportDuration = 10 * time.Minute
	}
	if o.ImportSettle <= 0 {
		o.ImportSettle = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// ServeHTTP answers one call of the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.service.ServeHTTP(w, r) }

// Close stops every running task where it is and waits for the work in progress. The state stays readable.
func (s *Server) Close() { s.timers.close() }

func (s *Server) operations() map[string]openapi.Operation {
	export := openapi.Operation{Resources: s.oneImage, Apply: s.exportImage, Required: []string{"RegionId", "ImageId", "OSSBucket"}}
	if s.options.SeedDialect {
		export.Required[2] = "OssBucket"
		export.Denied = openapi.Errorf(http.StatusBadRequest, "Forbidden", "User is not authorized to operate on the specified image.")
	}
	region, image, task := []string{"RegionId"}, []string{"RegionId", "ImageId"}, []string{"RegionId", "TaskId"}
	return map[string]openapi.Operation{
		"DescribeRegions":       {Resources: s.everything, Apply: s.describeRegions},
		"DescribeImages":        {Required: region, Resources: s.oneImage, Apply: s.inRegion(s.describeImages)},
		"CreateImage":           {Required: region, Resources: s.allImages, Apply: s.inRegion(s.createImage)},
		"DeleteImage":           {Required: image, Resources: s.oneImage, Apply: s.inRegion(s.deleteImage)},
		"ModifyImageAttribute":  {Required: image, Resources: s.oneImage, Apply: s.inRegion(s.modifyImageAttribute)},
		"DeleteSnapshot":        {Required: []string{"SnapshotId"}, Resources: s.oneSnapshot, Apply: s.deleteSnapshot},
		"TagResources":          {Required: []string{"RegionId", "ResourceType"}, Resources: s.listedImages, Apply: s.inRegion(s.tagResources)},
		"ExportImage":           export,
		"ImportImage":           {Required: region, Resources: s.allImages, Apply: s.importImage},
		"DescribeTasks":         {Required: region, Resources: s.everything, Apply: s.inRegion(s.describeTasks)},
		"DescribeTaskAttribute": {Required: task, Resources: s.everything, Apply: s.inRegion(s.describeTaskAttribute)},
		"CancelTask":            {Required: task, Resources: s.everything, Apply: s.inRegion(s.cancelTask)},
	}
}

type apply func(context.Context, *openapi.Request) (openapi.Result, *openapi.Error)

// inRegion refuses calls for other regions. Guess: an endpoint answers for its own region alone.
func (s *Server) inRegion(next apply) apply {
	return func(ctx context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
		if req.Params.Get("RegionId") != s.options.Region {
			return nil, openapi.Errorf(http.StatusBadRequest, "InvalidRegionId.NotFound", "The specified RegionId does not exist.")
		}
		return next(ctx, req)
	}
}

func (s *Server) arn(relative string) string {
	return fmt.Sprintf("acs:ecs:%s:%s:%s", s.options.Region, s.options.Directory.ID(), relative)
}

// everything is the resource of the calls that RAM only allows or denies as a whole.
func (s *Server) everything(*openapi.Request) []string { return []string{s.arn("*")} }

func (s *Server) allImages(*openapi.Request) []string { return []string{s.arn("image/*")} }

func (s *Server) oneImage(req *openapi.Request) []string {
	if id := req.Params.Get("ImageId"); id != "" {
		return []string{s.arn("image/" + id)}
	}
	return s.allImages(req)
}

func (s *Server) listedImages(req *openapi.Request) []string {
	var arns []string
	for _, id := range req.Params.List("ResourceId") {
		arns = append(arns, s.arn("image/"+id))
	}
	if arns == nil {
		return s.allImages(req)
	}
	return arns
}

// scaled is how long a duration of the platform takes here.
func (s *Server) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.options.Speed)
}

// newID returns a random id such as m-bp1 followed by 17 letters and digits.
func newID(prefix string) string {
	const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
	b := make([]byte, 17)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return prefix + string(b)
}
