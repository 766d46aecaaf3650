package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/alicloud/endpoint"
	"imageferry/internal/config"
	"imageferry/internal/version"
)

// A control tells other commands on this machine where the embedded cloud is, with the keys of this run.
type control struct {
	url    string
	server *http.Server
	served chan struct{}
}

// listenControl serves the line that line returns for the control's URL, on loopback.
func listenControl(line func(url string) readyLine) (*control, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for commands: %w", err)
	}
	c := &control{url: "http://" + listener.Addr().String(), served: make(chan struct{})}
	ready := line(c.url)
	c.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A page in a browser could name this address by a name of its own.
		if r.Host != listener.Addr().String() || r.Method != http.MethodGet || r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(ready)
	})}
	go func() {
		defer close(c.served)
		_ = c.server.Serve(listener) // ends with close
	}()
	return c, nil
}

func (c *control) close() {
	_ = c.server.Close()
	<-c.served
}

// openLocal takes everything from the control of an embedded cloud. The FERRY_ variables of this process are those of
// another cloud; flags go before what the function there is configured with.
func (s *session) openLocal(ctx context.Context, c *connection, url string) error {
	if c.profile != "" {
		return usage(errors.New("--profile means nothing in the embedded cloud: it has keys of its own"))
	}
	ready, err := fetchReady(ctx, url)
	if err != nil {
		return fmt.Errorf("find the embedded cloud: %w", err)
	}
	environ := map[string]string{
		"FERRY_BUCKET": ready.Bucket, "FERRY_MANIFEST_BUCKET": ready.ManifestBucket, "FERRY_MANIFEST_PREFIX": ready.ManifestPrefix,
	}
	maps.Copy(environ, ready.Environment)
	environ["FERRY_ECS_ENDPOINT"], environ["FERRY_OSS_ENDPOINT"] = "http://"+ready.ECSEndpoint, ready.OSSEndpoint
	maps.Copy(environ, c.variables())
	if s.config, err = config.Parse(environ); err != nil {
		return err
	}
	s.local, s.sts = true, "http://"+ready.STSEndpoint
	s.options = alicloud.Options{
		Region:      firstOf(c.region, ready.Region),
		Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: ready.AccessKeyID, AccessKeySecret: ready.AccessKeySecret}),
		ECSEndpoint: s.config.ECSEndpoint,
		OSSEndpoint: s.config.OSSEndpoint,
		HTTP:        s.transport,
		Version:     version.Current,
		Log:         s.log,
	}
	for name, at := range map[string]string{"ecsEndpoint": s.options.ECSEndpoint, "stsEndpoint": s.sts, "ossEndpoint": s.options.OSSEndpoint} {
		if e, err := endpoint.Parse(at); err != nil || !e.Loopback() {
			return fmt.Errorf("find the embedded cloud: its %s is not on this machine", name)
		}
	}
	return nil
}

// fetchReady reads the ready line from a control.
func fetchReady(ctx context.Context, url string) (readyLine, error) {
	at, err := endpoint.Parse(url)
	switch {
	case err != nil:
		return readyLine{}, usage(fmt.Errorf("the URL for --local or IMAGEFERRY_LOCAL %w", err))
	case !at.Loopback() || !strings.HasPrefix(url, "http://"):
		return readyLine{}, usage(errors.New("the URL for --local or IMAGEFERRY_LOCAL has to be http:// with a loopback host"))
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String()+"/", nil)
	if err != nil {
		return readyLine{}, err
	}
	// Neither a proxy nor a redirection leads elsewhere.
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	if err != nil {
		return readyLine{}, advised{fmt.Errorf("nothing answers at %s", at), "Run imageferry local, and take the control URL that it prints."}
	}
	defer func() { _ = answer.Body.Close() }()
	var ready readyLine
	err = json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&ready)
	if answer.StatusCode != http.StatusOK || err != nil || !ready.Ready {
		return readyLine{}, advised{fmt.Errorf("what answers at %s is not imageferry local", at), "Take the control URL that imageferry local prints."}
	}
	return ready, nil
}
