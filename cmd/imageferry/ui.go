package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"imageferry/handler/page"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/version"
)

// uiOptions are the flags of `imageferry ui`.
type uiOptions struct {
	addr                string
	open, actions, json bool
}

// A uiLine is where the page is, for programs.
type uiLine struct {
	URL     string `json:"url"`
	Address string `json:"address"`
	Actions bool   `json:"actions"`
}

func newUI(a *app) *cobra.Command {
	var c connection
	var o uiOptions
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "Show the status page in a browser on this machine",
		Long: `Serves the status page on this machine, with your own credentials: what is exported, what is at work, what keeps the others from
it, and every export's story. It prints the page's URL, and serves it until Ctrl-C. The URL has a key in it that is made anew
each time: others who use this machine cannot look.

The page is read-only. With --actions it submits, retries and cancels exports.

--json prints {"url", "address", "actions"} once the page is there. Every view is JSON, too: ?format=json.`,
		Example: `  imageferry ui --region cn-hangzhou --bucket my-exports
  imageferry ui --open --actions
  imageferry ui --local http://127.0.0.1:40123`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			listener, err := listenLoopback(cmd.Context(), o.addr)
			if err != nil {
				return err
			}
			defer func() { _ = listener.Close() }() // the server has closed it, unless it was never begun
			open := c.open
			if o.actions { // the journal names who asked
				open = c.openAs
			}
			s, err := open(cmd.Context(), a)
			if err != nil {
				return err
			}
			return s.ui(cmd.Context(), listener, &c, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.addr, "addr", "127.0.0.1:0", "loopback `address` to serve on; port 0 is any that is free")
	flags.BoolVar(&o.open, "open", false, "open the page in the browser (BROWSER, or the system's)")
	flags.BoolVar(&o.actions, "actions", false, "let the page submit, retry and cancel exports")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	c.register(cmd)
	return cmd
}

// listenLoopback listens on an address that only this machine reaches.
func listenLoopback(ctx context.Context, addr string) (*net.TCPListener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usage(fmt.Errorf("--addr %.80q is not an address such as 127.0.0.1:8080", addr))
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, usage(fmt.Errorf("--addr %.80q is not a loopback address: whoever reached it would look with your credentials", addr))
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil, usage(fmt.Errorf("--addr %.80q has no port: 0 to 65535", addr))
	}
	var l net.ListenConfig
	listener, err := l.Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, advised{fmt.Errorf("listen: %w", err), "Leave --addr out, or give port 0: any free port is taken."}
	}
	return listener.(*net.TCPListener), nil
}

// ui serves the page until ctx ends. What has begun by then comes to its end.
func (s *session) ui(ctx context.Context, listener *net.TCPListener, c *connection, o uiOptions) error {
	address := listener.Addr().String()
	door := newDoor(address)
	server := &http.Server{
		Handler: door.guard(within(s.page(address, c, o))), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if err := s.announce(uiLine{URL: door.url(), Address: address, Actions: o.actions}, o); err != nil {
		return errors.Join(err, server.Close())
	}
	select {
	case err := <-served:
		return fmt.Errorf("serve the page: %w", err)
	case <-ctx.Done():
	}
	end, cancel := shield(ctx)
	defer cancel()
	if err := server.Shutdown(end); err != nil {
		return fmt.Errorf("end the page: %w", errors.Join(err, server.Close()))
	}
	return nil
}

// within bounds what one request may take: nobody waits longer for a page.
func within(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (s *session) page(address string, c *connection, o uiOptions) http.Handler {
	_, port, _ := net.SplitHostPort(address)
	flags := s.config.ManifestFlags()
	if s.local {
		flags = append(flags, "--local", firstOf(c.local, s.getenv("IMAGEFERRY_LOCAL")))
	}
	p := page.New(page.Options{
		Version: version.Current, AllowActions: o.actions, PlainHTTP: true, Hosts: []string{address, net.JoinHostPort("localhost", port)},
		Remember: page.DefaultRemember, Now: s.now,
		RestoreCommand: func(m *manifest.Manifest) string { return page.RestoreCommand(m, flags...) },
	})
	log := s.log
	if !c.verbose { // the page refers to it
		log = slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelError}))
	}
	return p.Handler(page.Backend{
		Source: page.Ferry{Ferry: s.ferry, To: s.settings.Destination, Restores: s.restores()}, Actions: clicks{s}, Log: log,
	})
}

func (s *session) announce(line uiLine, o uiOptions) error {
	if o.json {
		data, err := json.Marshal(line)
		if err != nil {
			return fmt.Errorf("encode answer: %w", err)
		}
		if err := s.printf("%s\n", data); err != nil {
			return err
		}
	} else if err := s.printf("%s\n", line.URL); err != nil {
		return err
	}
	if o.open {
		if err := browse(s.getenv("BROWSER"), line.URL); err != nil {
			s.note("no browser can be opened (%s): open the URL in one", err)
		}
	}
	if !o.json {
		s.note("Ctrl-C ends it.")
	}
	return nil
}

// browse opens a URL. The browser goes on by itself.
func browse(browser, url string) error {
	command := []string{browser}
	switch {
	case browser != "":
	case runtime.GOOS == "darwin":
		command = []string{"open"}
	case runtime.GOOS == "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler"}
	default:
		command = []string{"xdg-open"}
	}
	cmd := exec.Command(command[0], append(command[1:], url)...) // #nosec G204 -- the person's own browser, with our URL
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // what it ends with is its own affair
	return nil
}

// clicks are what the page's forms ask for. What has begun comes to its end although the browser has gone.
type clicks struct{ *session }

func (c clicks) do(ctx context.Context, imageID string, o order) (export.Result, error) {
	within, cancel := shield(ctx)
	defer cancel()
	return o(within, imageID)
}

// Submit implements page.Actions.
func (c clicks) Submit(ctx context.Context, imageID string) (export.Result, error) {
	return c.do(ctx, imageID, c.submitted("ui", false))
}

// Retry implements page.Actions.
func (c clicks) Retry(ctx context.Context, imageID string) (export.Result, error) {
	return c.do(ctx, imageID, c.retried("ui"))
}

// Cancel implements page.Actions.
func (c clicks) Cancel(ctx context.Context, imageID string) (export.Result, error) {
	return c.do(ctx, imageID, func(ctx context.Context, id string) (export.Result, error) {
		return c.ferry.Cancel(ctx, id, c.trigger("ui"))
	})
}
