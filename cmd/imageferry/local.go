package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/fcd"
	"imageferry/internal/localcloud/samples"
)

// localOptions are the flags of `imageferry local`.
type localOptions struct {
	once        bool
	json        bool
	images      int
	speed       float64
	latency     time.Duration
	seedDialect bool
	timeout     time.Duration
	log         string
	project     string
}

func newLocal() *cobra.Command {
	var o localOptions
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Run all of imageferry on this machine, against an embedded cloud",
		Long: `Starts an embedded stand-in for Alibaba Cloud on loopback, deploys this project's s.yaml into it with the real
function, creates sample images as a user of ECS would, and lets events, timers and HTTP requests do the rest. Nothing leaves
this machine. It stays up until Ctrl-C, so that any client of Alibaba Cloud can be pointed at it.`,
		Example: `  imageferry local
  imageferry local --once --json --images 100
  imageferry local --once --latency 50ms --seed-dialect`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runLocal(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.once, "once", false, "end when every sample has its state: exit status 0 if it is the right one, 1 otherwise")
	flags.BoolVar(&o.json, "json", false, "print JSON lines: where everything is as the first, with --once a summary as the last")
	flags.IntVar(&o.images, "images", samples.Default, "plain exportable images, beside the five problem ones")
	flags.Float64Var(&o.speed, "speed", 300, "how much faster than real time tasks and timers go")
	flags.DurationVar(&o.latency, "latency", 0, "added to every call of the cloud")
	flags.BoolVar(&o.seedDialect, "seed-dialect", false, "let ECS speak ExportImage as it did in 2017")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "with --once: how long the samples may take")
	flags.StringVar(&o.log, "log", "", "write what the function prints to this `file`")
	flags.StringVar(&o.project, "project", ".", "a folder within a clone of imageferry")
	return cmd
}

func (o localOptions) validate() error {
	switch {
	case o.images < 0:
		return fmt.Errorf("--images is %d: it cannot be negative", o.images)
	case o.speed < 1 || o.speed > 10000:
		return fmt.Errorf("--speed is %g: it has to be 1 to 10000", o.speed)
	case o.latency < 0 || o.latency > 5*time.Second:
		return fmt.Errorf("--latency is %s: it has to be 0 to 5s", o.latency)
	case o.timeout <= 0:
		return fmt.Errorf("--timeout is %s: it has to be more than 0", o.timeout)
	}
	return nil
}

func runLocal(ctx context.Context, o localOptions, stdout, stderr io.Writer) (err error) {
	if err := o.validate(); err != nil {
		return usage(err)
	}
	started := time.Now()
	output, closeLog, err := o.functionLog()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	if !o.json {
		_, _ = fmt.Fprintln(stdout, "Building the function and starting the embedded cloud …")
	}
	local, err := startLocal(ctx, o, output)
	if err != nil {
		return err
	}
	defer local.close()

	view := newView(o, stdout, isTerminal(stdout))
	if err := view.ready(local); err != nil {
		return err
	}
	watch, err := newWatch(local, view)
	if err != nil {
		return err
	}
	if err := watch.run(ctx, o); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if err := view.done(local, watch.result(started)); err != nil {
		return err
	}
	if o.once {
		if ctx.Err() != nil || !watch.met() { // interrupted before all samples were made, none may be unmet
			return errReported
		}
		return nil
	}
	<-ctx.Done()
	return nil
}

func (o localOptions) functionLog() (w io.Writer, closeLog func() error, err error) {
	if o.log == "" {
		return io.Discard, func() error { return nil }, nil
	}
	f, err := os.Create(o.log)
	if err != nil {
		return nil, nil, fmt.Errorf("open function log: %w", err)
	}
	return f, f.Close, nil
}

// A local is an embedded cloud with imageferry deployed in it.
type local struct {
	cloud *localcloud.Cloud
	spec  fcd.Spec
	dir   string // of the binary
	// env is what the function has beside its spec.
	env     map[string]string
	control *control
}

func startLocal(ctx context.Context, o localOptions, output io.Writer) (_ *local, err error) {
	here, err := filepath.Abs(o.project)
	if err != nil {
		return nil, fmt.Errorf("find project: %w", err)
	}
	project, err := localcloud.FindProject(here)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(project, "s.yaml")) // #nosec G304 -- the s.yaml of the person's own project
	if err != nil {
		return nil, fmt.Errorf("read s.yaml: %w", err)
	}
	l := &local{}
	if l.dir, err = os.MkdirTemp("", "imageferry-local-"); err != nil {
		return nil, fmt.Errorf("make folder for the function: %w", err)
	}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	binary, err := localcloud.BuildFunction(ctx, project, l.dir)
	if err != nil {
		return nil, err
	}
	if l.cloud, err = localcloud.Start(localcloud.Options{Speed: o.speed, Latency: o.latency, SeedDialect: o.seedDialect, ImportRole: true}); err != nil {
		return nil, err
	}
	// What the function waits for by its own clock has to keep pace with the cloud's.
	l.env = map[string]string{"FERRY_RETRY_DELAY": max(time.Duration(float64(time.Minute)/o.speed), 10*time.Millisecond).String()}
	l.spec, err = l.cloud.Deploy(ctx, localcloud.Deployment{Spec: text, Binary: binary, Env: l.env, Output: output})
	if err != nil {
		return l, err
	}
	l.control, err = listenControl(func(url string) readyLine {
		line := readyOf(l)
		line.ControlURL = url
		return line
	})
	return l, err
}

func (l *local) controlURL() string {
	if l.control == nil {
		return ""
	}
	return l.control.url
}

// environment is the function's configuration, as far as other commands need it.
func (l *local) environment() map[string]string {
	all := map[string]string{}
	for _, from := range []map[string]string{l.spec.Environment, l.env} {
		for name, value := range from {
			if strings.HasPrefix(name, "FERRY_") && !strings.HasPrefix(name, "FERRY_HTTP_") {
				all[name] = value
			}
		}
	}
	return all
}

func (l *local) close() {
	if l.control != nil {
		l.control.close()
	}
	if l.cloud != nil {
		l.cloud.Close()
	}
	_ = os.RemoveAll(l.dir)
}
