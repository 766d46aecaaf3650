// Package localcloud is the embedded stand-in for Alibaba Cloud: ECS, OSS, STS and RAM, EventBridge and Function Compute, on
// loopback. It deploys the project's own s.yaml and runs the real function binary. It has one account in one region, which more
// can be added to.
//
// It is meant to be as strict as the real cloud. Where nobody documents what that does, the code says "Guess:".
package localcloud

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/eventbus"
	"imageferry/internal/localcloud/fcd"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/localcloud/ramd"
	"imageferry/internal/localcloud/stsd"
	"imageferry/internal/localcloud/trace"
)

// Options are what a Cloud is made of. The zero Options are a usable cloud without a function.
type Options struct {
	// Region is cn-hangzhou when empty, AccountID 1234567890123456.
	Region    string
	AccountID string
	// Speed is how much faster than real time tasks, images and timers go; 0 is 60: a minute a second.
	Speed float64
	// Latency is added to every call.
	Latency time.Duration
	// SeedDialect makes ExportImage answer as in 2017.
	SeedDialect bool
	// ImportRole creates the role that ECS reads imports with, as [Cloud.PutImportRole] does.
	ImportRole bool
	Quotas     ecsd.Quotas
	// Log is silent when nil.
	Log *slog.Logger
}

// Endpoints are where the services listen, all on loopback.
type Endpoints struct {
	ECS, OSS, STS, RAM, FC string // host:port
	HTTP                   string // of the function's HTTP trigger
}

// A Cloud is a running embedded cloud. Close ends it.
type Cloud struct {
	Region    string
	Directory *account.Directory
	Tap       *trace.Tap
	OSS       *ossd.Server
	ECS       *ecsd.Server
	STS       *stsd.Server
	RAM       *ramd.Server
	Bus       *eventbus.Bus
	FC        *fcd.Server // nil until Deploy
	Endpoints Endpoints
	// Administrator may do everything in the account.
	Administrator account.Identity

	options Options
	regions map[string]*regionServices
	places  []*Place // the first is the account and region that the cloud began with
	fc      lateHandler
	trigger lateHandler
	servers []*http.Server
	serving sync.WaitGroup
}

// Start starts every service but the function.
func Start(options Options) (*Cloud, error) {
	if options.Region == "" {
		options.Region = "cn-hangzhou"
	}
	if options.AccountID == "" {
		options.AccountID = "1234567890123456"
	}
	if options.Speed <= 0 {
		options.Speed = 60
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	c := &Cloud{
		Region:    options.Region,
		Directory: account.New(options.AccountID),
		Tap:       trace.NewTap(options.Latency),
		options:   options,
		regions:   map[string]*regionServices{},
	}
	c.Administrator = c.Directory.PutUser("administrator", account.Administrator())
	c.OSS = ossd.New(options.Region, c.Directory, c.Tap, options.Log)
	c.STS = stsd.New(c.Directory, c.Tap, options.Log)
	c.RAM = ramd.New(c.Directory, c.Tap, options.Log)
	if err := c.listen(); err != nil {
		c.Close()
		return nil, fmt.Errorf("start embedded cloud: %w", err)
	}
	if options.ImportRole {
		c.PutImportRole()
	}
	return c, nil
}

func (c *Cloud) newECS(at *Place) *ecsd.Server {
	return ecsd.New(ecsd.Options{
		Region:      at.Region,
		Directory:   at.Directory,
		Tap:         c.Tap,
		Buckets:     imageBuckets{at.OSS},
		Events:      at.Bus,
		Speed:       c.options.Speed,
		SeedDialect: c.options.SeedDialect,
		Quotas:      c.options.Quotas,
		Log:         c.options.Log,
	})
}

// listen starts the services, those of the first account and region among them.
func (c *Cloud) listen() error {
	home, err := c.AddPlace(c.Region, c.Directory.ID())
	if err != nil {
		return err
	}
	c.ECS, c.Bus = home.ECS, home.Bus
	c.Endpoints.ECS, c.Endpoints.OSS = home.ECSEndpoint, home.OSSEndpoint
	for _, service := range []struct {
		address *string
		handler http.Handler
	}{
		{&c.Endpoints.STS, c.STS}, {&c.Endpoints.RAM, c.RAM}, {&c.Endpoints.FC, &c.fc}, {&c.Endpoints.HTTP, &c.trigger},
	} {
		if err := c.serve(service.address, service.handler); err != nil {
			return err
		}
	}
	return nil
}

// serve starts a listener and tells its address.
func (c *Cloud) serve(address *string, handler http.Handler) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	*address = listener.Addr().String()
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(c.options.Log.Handler(), slog.LevelDebug),
	}
	c.servers = append(c.servers, server)
	c.serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.options.Log.Error("service ended", "error", err.Error())
		}
	})
	return nil
}

// Close ends the function's processes, timers and listeners, and waits for them.
func (c *Cloud) Close() {
	if c.FC != nil {
		c.FC.Close()
	}
	for _, p := range c.places {
		p.ECS.Close()
		p.Bus.Close()
	}
	for _, s := range c.servers {
		_ = s.Close()
	}
	c.serving.Wait()
}

// A lateHandler answers once the function is deployed.
type lateHandler struct {
	mu      sync.RWMutex
	handler http.Handler
}

func (l *lateHandler) set(h http.Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handler = h
}

func (l *lateHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.RLock()
	h := l.handler
	l.mu.RUnlock()
	if h == nil {
		http.Error(w, "no function is deployed", http.StatusNotFound)
		return
	}
	h.ServeHTTP(w, r)
}

// A Deployment is what is deployed into a Cloud.
type Deployment struct {
	// Spec is the text of an s.yaml; Vars override its vars.
	Spec []byte
	Vars map[string]string
	// Binary is the function's executable for this machine.
	Binary string
	// Env adds to the function's environment, over what the spec says.
	Env map[string]string
	// Output receives what the function prints; nil discards it.
	Output io.Writer
	// Timeout, if not 0, replaces the function's timeout, in real time.
	Timeout time.Duration
	// RetryBase is the first pause before an asynchronous event is tried again, in the platform's time; 0 is half a second.
	RetryBase time.Duration
	// MaxInstances is 10 when 0.
	MaxInstances int
}
