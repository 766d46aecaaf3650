// Imageferry is the command line for people: it exports images, tells what became of them, and runs the whole of imageferry
// on one machine.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal lets what has begun come to its end; the second one ends the process.
	context.AfterFunc(ctx, stop)
	code := newApp().run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
