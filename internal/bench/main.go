// Bench measures imageferry against the least that is possible, and against what one would write instead, in the embedded
// cloud, and prints one table: go run ./internal/bench
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A benchmark is one group of rows.
type benchmark struct {
	name string
	run  func(context.Context, *lab) ([]Row, error)
}

// benchmarks are in the order of the table.
func benchmarks() []benchmark {
	return []benchmark{
		{"start-up", startUp},
		{"hot path", hotPath},
		{"following", following},
		{"sweeping", sweeping},
		{"growth", growth},
		{"back-fill", backfill},
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("run", "", "run only the groups whose name this `pattern` matches")
	quick := flags.Bool("quick", false, "make everything so small that it only shows that it works")
	asJSON := flags.Bool("json", false, "print JSON")
	markdown := flags.String("markdown", "", "write the page of the documentation into this `file`, too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("read -run: %w", err)
	}
	report, err := measure(ctx, pattern, *quick, stderr)
	if err != nil {
		return err
	}
	if *markdown != "" {
		if err := writeFile(*markdown, report.WriteMarkdown); err != nil {
			return err
		}
	}
	if *asJSON {
		return report.WriteJSON(stdout)
	}
	return report.WriteText(stdout)
}

func measure(ctx context.Context, pattern *regexp.Regexp, quick bool, log io.Writer) (Report, error) {
	l, err := newLab(quick, log)
	if err != nil {
		return Report{}, err
	}
	defer l.close()
	report := Report{Machine: thisMachine(), Quick: quick}
	for _, b := range benchmarks() {
		if !pattern.MatchString(b.name) {
			continue
		}
		l.say("%s …", b.name)
		begun := time.Now()
		rows, err := b.run(ctx, l)
		if err != nil {
			return Report{}, fmt.Errorf("%s: %w", b.name, err)
		}
		for _, row := range rows {
			row.Group = b.name
			report.Rows = append(report.Rows, row)
		}
		l.say("%s took %.1f s", b.name, time.Since(begun).Seconds())
	}
	return report, nil
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path) // #nosec G304 -- the caller's own choice
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
