// Imageferry is the command line for people. So far it runs the whole of imageferry on this machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"imageferry/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newRoot().ExecuteContext(ctx)
	switch {
	case err == nil:
		return
	case !errors.Is(err, errUnmet):
		fmt.Fprintln(os.Stderr, "imageferry:", err)
	}
	stop()
	os.Exit(1)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "imageferry",
		Short:         "Exports ECS custom images to OSS, and knows which are safe",
		Version:       version.Current,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newLocal())
	return root
}
