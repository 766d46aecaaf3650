package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imageferry/internal/localcloud/trace"
)

func TestSamples(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   Sample
	}{
		{[]float64{7}, Sample{Median: 7, Min: 7, Max: 7, Runs: 1}},
		{[]float64{9, 1, 5}, Sample{Median: 5, Min: 1, Max: 9, Runs: 3}},
		{[]float64{4, 1, 2, 100}, Sample{Median: 3, Min: 1, Max: 100, Runs: 4}},
	} {
		got := sampleOf(c.values...)
		if got.values = nil; got.Median != c.want.Median || got.Min != c.want.Min || got.Max != c.want.Max || got.Runs != c.want.Runs {
			t.Errorf("%v is %+v", c.values, got)
		}
	}
}

// Run by run, a machine that becomes slower in the middle changes nothing.
func TestRatio(t *testing.T) {
	t.Parallel()
	if got := ratio(sampleOf(2, 2, 20, 20), sampleOf(1, 1, 10, 10)); got != 2 {
		t.Errorf("the ratio is %v", got)
	}
	if got := ratio(sampleOf(10, 30, 20), sampleOf(4)); got != 5 {
		t.Errorf("the ratio of the medians is %v", got)
	}
	row := Row{Ours: sampleOf(3)}.against("nothing", sampleOf(0))
	if row.Ratio != nil || row.Other == nil {
		t.Errorf("row is %+v", row)
	}
}

func TestInTurn(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{1: "ab", 3: "abababab"} {
		var order strings.Builder
		say := func(name string) measurement {
			return func() (float64, error) {
				order.WriteString(name)
				return float64(order.Len()), nil
			}
		}
		samples, err := inTurn(n, say("a"), say("b"))
		if err != nil || order.String() != want || samples[0].Runs != n || samples[1].Max != float64(len(want)) {
			t.Errorf("%d runs: %s, %+v (%v)", n, order.String(), samples, err)
		}
	}
	bad := errors.New("bad")
	if _, err := inTurn(2, func() (float64, error) { return 0, bad }); !errors.Is(err, bad) {
		t.Errorf("the error is %v", err)
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		unit  Unit
		value float64
		want  string
	}{
		{Bytes, 4e6, "4 MB"}, {Bytes, 12_345_678, "12.3 MB"}, {Bytes, 2500, "2.50 kB"}, {Bytes, 12, "12 B"},
		{Milliseconds, 1.234, "1.23 ms"}, {Milliseconds, 1234.5, "1,235 ms"}, {Milliseconds, 1_834_000, "1,834 s"}, {Milliseconds, 0.01234, "0.012 ms"},
		{Calls, 101_000, "101,000"}, {Trips, 3, "3"},
	} {
		if got := c.unit.format(c.value); got != c.want {
			t.Errorf("%v %s is %q, want %q", c.value, c.unit, got, c.want)
		}
	}
}

func TestAims(t *testing.T) {
	t.Parallel()
	row := Row{Unit: Trips, Ours: sampleOf(4)}.against("floor", sampleOf(3)).calls(11, 5)
	for _, c := range []struct {
		aim  *Aim
		met  bool
		text string
	}{
		{row.aims(4).Aim, true, "≤ 4 round trips"},
		{row.aims(3).Aim, false, "≤ 3 round trips"},
		{row.aimsAtRatio(1.3).Aim, false, "≤ 1.30×"},
		{row.aimsAtCalls(11).Aim, true, "≤ 11 calls"},
	} {
		if c.aim.Met != c.met || c.aim.text(row.Unit) != c.text {
			t.Errorf("%+v: %s", c.aim, c.aim.text(row.Unit))
		}
	}
}

// at is a call from one second to another.
func at(operation string, from, to int) call {
	zero := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	return call{trace.Call{Operation: operation, Time: zero.Add(time.Duration(from) * time.Second)}, zero.Add(time.Duration(to) * time.Second)}
}

func TestTripsAreTheLongestChain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		calls calls
		want  int
	}{
		"none":            {nil, 0},
		"one":             {calls{at("a", 0, 1)}, 1},
		"at once":         {calls{at("a", 0, 2), at("b", 1, 3), at("c", 0, 3)}, 1},
		"in a row":        {calls{at("a", 0, 1), at("b", 1, 2), at("c", 2, 3)}, 3},
		"beside a long":   {calls{at("long", 0, 9), at("a", 0, 1), at("b", 1, 2), at("c", 3, 4)}, 3},
		"two and two":     {calls{at("a", 0, 2), at("b", 0, 3), at("c", 3, 4), at("d", 3, 5)}, 2},
		"in no order":     {calls{at("c", 4, 5), at("a", 0, 1), at("b", 2, 3)}, 3},
		"a gap in one":    {calls{at("a", 0, 5), at("b", 1, 2), at("c", 3, 4), at("d", 6, 7)}, 3},
		"one just inside": {calls{at("a", 0, 2), at("b", 1, 2)}, 1},
	} {
		if got := c.calls.trips(); got != c.want {
			t.Errorf("%s: %d round trips, want %d", name, got, c.want)
		}
	}
}

func TestCallsUntil(t *testing.T) {
	t.Parallel()
	all := calls{at("late", 0, 9), at("b", 1, 3), at("a", 0, 2)}
	operations := func(some calls) string {
		var names []string
		for _, c := range some {
			names = append(names, c.Operation)
		}
		return strings.Join(names, " ")
	}
	if got := operations(all.until(func(c call) bool { return c.Operation == "b" })); got != "a b" {
		t.Errorf("calls are %q", got)
	}
	if got := all.until(func(call) bool { return false }); got != nil {
		t.Errorf("calls are %v", got)
	}
	if all.of("a", "late") != 2 {
		t.Error("two calls are of these operations")
	}
}

func report() Report {
	return Report{Machine: Machine{CPU: "A processor", Cores: 2, Memory: 8 << 30, Kernel: "Linux 6.1", Go: "go1.26"}, Rows: []Row{
		Row{Group: "hot path", What: "an | event", Unit: Milliseconds, Ours: sampleOf(3, 4, 5)}.against("the floor", sampleOf(1)).
			calls(11, 3).aimsAtRatio(1.3).noted("Simulated."),
		Row{Group: "hot path", What: "another", Unit: Trips, Ours: sampleOf(3)}.aims(3).noted("Simulated."),
		{Group: "growth", What: "a tick", Unit: Calls, Ours: sampleOf(2)},
	}}
}

func TestTables(t *testing.T) {
	t.Parallel()
	var text, page, data bytes.Buffer
	if err := errors.Join(report().WriteText(&text), report().WriteMarkdown(&page), report().WriteJSON(&data)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"HOT PATH", "4 ms (3 ms–5 ms)", "1 ms the floor", "4×", "11 / 3", "≤ 1.30×", "missed", "3 round trips", "met", "2 calls",
		"[1] Simulated.", "A processor, 2 cores"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "[2]") {
		t.Error("a note is there twice")
	}
	for _, want := range []string{"## Hot path", "| an \\| event <sup>1</sup> | 4 ms (3 ms–5 ms) | 1 ms the floor | 4× | 11 / 3 | ≤ 1.30× | missed |", "1. Simulated.", "## What limits it"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page has no %q:\n%s", want, page.String())
		}
	}
	var back Report
	if err := json.Unmarshal(data.Bytes(), &back); err != nil || len(back.Rows) != 3 || *back.Rows[0].Ratio != 4 || back.Rows[2].Calls != nil {
		t.Errorf("read back: %+v (%v)", back, err)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	c := newClock()
	begun := c.time()
	c.pass(time.Minute)
	c.until(begun)
	if got := c.time().Sub(begun); got != time.Minute {
		t.Errorf("%v have passed", got)
	}
	c.until(begun.Add(time.Hour))
	if got := c.time().Sub(begun); got != time.Hour {
		t.Errorf("%v have passed", got)
	}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	zero := time.Date(2026, 11, 23, 0, 0, 30, 0, time.UTC)
	b := &ledger{begun: zero.Truncate(time.Minute)}
	for _, c := range []struct {
		operation, code string
		after           time.Duration
	}{
		{"ExportImage", "", 0}, {"ExportImage", "", time.Second}, {"ExportImage", "Throttling.User", 2 * time.Second},
		{"DescribeTasks", "Throttling.User", 3 * time.Second}, {"DescribeTasks", "", 3 * time.Second},
		{"ExportImage", "QuotaExceed", time.Minute}, {"ExportImage", "", 5 * time.Minute},
	} {
		b.enter(trace.Call{Operation: c.operation, Code: c.code}, zero.Add(c.after))
	}
	if b.accepted() != 3 || b.refused() != 1 || b.others != 1 || b.minutes() != 6 {
		t.Errorf("accepted %d, refused %d, others %d, in %v minutes", b.accepted(), b.refused(), b.others, b.minutes())
	}
	if s := b.perMinute(func(m minute) int { return m.accepted }); s.Runs != 3 || s.Max != 2 || s.Min != 0 {
		t.Errorf("a minute: %+v", s)
	}
}

func TestWaiters(t *testing.T) {
	t.Parallel()
	terraform := waiterKinds()[0]
	var pauses []time.Duration
	for n := range 4 {
		pauses = append(pauses, terraform.next(n+1))
	}
	if want := []time.Duration{3 * time.Second, 6 * time.Second, 10 * time.Second, 10 * time.Second}; !slices.Equal(pauses, want) {
		t.Errorf("it waits %v", pauses)
	}
}

// All of it runs, on sizes that say nothing.
func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles three functions")
	}
	page := filepath.Join(t.TempDir(), "benchmarks.md")
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-quick", "-json", "-markdown", page}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var r Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	groups := map[string]int{}
	for _, row := range r.Rows {
		groups[row.Group]++
		if row.Ours.Runs == 0 || math.IsNaN(row.Ours.Median) || row.Other != nil && row.Against == "" {
			t.Errorf("row is %+v", row)
		}
		// What is counted does not depend on the machine.
		if aim := row.Aim; aim != nil && !aim.Met && row.Unit != Bytes && aim.Of != "ratio" {
			t.Errorf("%s: %s, the aim is %s", row.What, row.Unit.text(row.Ours), aim.text(row.Unit))
		}
		if row.What == "tick with 1 running" && *row.Calls != 2 { // a list and DescribeTasks
			t.Errorf("%s: %d calls", row.What, *row.Calls)
		}
	}
	for _, b := range benchmarks() {
		if groups[b.name] == 0 {
			t.Errorf("no row of %s", b.name)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil || !bytes.Contains(text, []byte("# Benchmarks")) {
		t.Errorf("the page is %.100s (%v)", text, err)
	}
	host, err := os.Hostname()
	if err == nil && len(host) > 3 && bytes.Contains(text, []byte(host)) {
		t.Error("the page names the host")
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), []string{"-run", "("}, io.Discard, io.Discard); err == nil {
		t.Error("a pattern that is none was taken")
	}
	if err := run(t.Context(), []string{"-h"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("the error is %v", err)
	}
}
