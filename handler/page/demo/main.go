// Demo serves the status page of a sample account on loopback: go run ./handler/page/demo
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"imageferry/handler/page"
	"imageferry/handler/page/pagetest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	address := listener.Addr().String()
	account := pagetest.Account(time.Now())
	account.Now = time.Now
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: page.New(page.Options{
		Version: "demo", AllowActions: true, PlainHTTP: true, Hosts: []string{address},
	}).Handler(page.Backend{Source: account, Actions: account, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})}
	fmt.Println("http://" + address + "/  (Ctrl-C ends it)")
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
