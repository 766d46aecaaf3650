package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"imageferry/internal/manifest"
	"imageferry/internal/words"
)

// A view shows a run: ready once, show many times, done once.
type view interface {
	ready(*local) error
	show([]row)
	done(*local, result) error
}

func newView(o localOptions, w io.Writer, terminal bool) view {
	switch {
	case o.json:
		return &jsonView{encoder: json.NewEncoder(w), once: o.once}
	case terminal:
		return &barView{w: w, once: o.once}
	}
	return &lineView{w: w, once: o.once, seen: map[string]string{}}
}

// jsonView prints the lines that programs read.
type jsonView struct {
	encoder *json.Encoder
	once    bool
}

type readyLine struct {
	Ready           bool   `json:"ready"`
	Region          string `json:"region"`
	AccountID       string `json:"accountId"`
	Bucket          string `json:"bucket"`
	ManifestBucket  string `json:"manifestBucket"`
	ManifestPrefix  string `json:"manifestPrefix"`
	ECSEndpoint     string `json:"ecsEndpoint"`
	OSSEndpoint     string `json:"ossEndpoint"`
	STSEndpoint     string `json:"stsEndpoint"`
	RAMEndpoint     string `json:"ramEndpoint"`
	FCEndpoint      string `json:"fcEndpoint"`
	FunctionName    string `json:"functionName"`
	HTTPURL         string `json:"httpUrl"`
	AccessKeyID     string `json:"accessKeyId"`
	AccessKeySecret string `json:"accessKeySecret"`
	// ControlURL serves this line again.
	ControlURL string `json:"controlUrl"`
	// Environment is how the function is configured, without secrets.
	Environment map[string]string `json:"environment,omitempty"`
}

func readyOf(l *local) readyLine {
	vars, e, keys := l.cloud.PolicyVars(l.spec), l.cloud.Endpoints, l.cloud.Administrator
	return readyLine{
		Ready: true, Region: l.cloud.Region, AccountID: l.cloud.Directory.ID(),
		Bucket: vars.Bucket, ManifestBucket: vars.ManifestBucket, ManifestPrefix: vars.ManifestPrefix,
		ECSEndpoint: e.ECS, OSSEndpoint: "http://" + e.OSS, STSEndpoint: e.STS, RAMEndpoint: e.RAM, FCEndpoint: e.FC,
		FunctionName: l.spec.Name, HTTPURL: "http://" + e.HTTP + "/",
		AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.Secret,
		ControlURL: l.controlURL(), Environment: l.environment(),
	}
}

func (v *jsonView) ready(l *local) error { return v.encoder.Encode(readyOf(l)) }
func (v *jsonView) show([]row)           {}

type summaryLine struct {
	Summary   summary              `json:"summary"`
	Exports   []*manifest.Manifest `json:"exports"`
	Calls     map[string]int       `json:"calls"`
	ElapsedMs int64                `json:"elapsedMs"`
}

type summary struct {
	Images   int `json:"images"`
	Exported int `json:"exported"`
	Skipped  int `json:"skipped"`
	Failed   int `json:"failed"`
}

func summarize(rows []row) summary {
	s := summary{Images: len(rows)}
	for _, r := range rows {
		switch r.state() {
		case string(manifest.Exported):
			s.Exported++
		case string(manifest.Skipped):
			s.Skipped++
		case string(manifest.Failed):
			s.Failed++
		}
	}
	return s
}

func (v *jsonView) done(_ *local, r result) error {
	if !v.once {
		return nil
	}
	line := summaryLine{Summary: summarize(r.rows), Exports: []*manifest.Manifest{}, Calls: r.calls, ElapsedMs: r.elapsed.Milliseconds()}
	for _, row := range r.rows {
		if row.Export != nil {
			line.Exports = append(line.Exports, row.Export)
		}
	}
	return v.encoder.Encode(line)
}

// lineView prints a plain line whenever an image's state changes.
type lineView struct {
	w    io.Writer
	once bool
	seen map[string]string
}

func (v *lineView) ready(l *local) error { return printReady(v.w, l) }

func (v *lineView) show(rows []row) {
	for _, r := range rows {
		text := describe(r)
		if v.seen[r.ImageID] == text {
			continue
		}
		v.seen[r.ImageID] = text
		_, _ = fmt.Fprintf(v.w, "%s  %-18s %s\n", time.Now().Format(time.TimeOnly), r.Name, text)
	}
}

// describe is the state, and why.
func describe(r row) string {
	text := fmt.Sprintf("%-10s", r.state())
	switch {
	case r.Export == nil:
		return text
	case r.Export.Reason != "":
		return text + " " + r.Export.Reason + ": " + r.Export.Remedy
	case r.Export.State == manifest.Exported:
		return text + " " + words.Plural(len(r.Export.Objects), "object") + ", " + words.Bytes(r.Export.Verification.Bytes)
	}
	return text
}

func (v *lineView) done(l *local, r result) error { return printDone(v.w, l, r, v.once) }

// barView keeps one line an image, with a progress bar.
type barView struct {
	w        io.Writer
	once     bool
	progress *mpb.Progress
	bars     map[string]*barRow
}

// A barRow is a line. The bars are drawn by a goroutine of their own.
type barRow struct {
	bar *mpb.Bar
	mu  sync.Mutex
	row row
}

func (b *barRow) get() row {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.row
}

// set shows a row, and tells the bar when it is the last one.
func (b *barRow) set(r row) {
	b.mu.Lock()
	b.row = r
	b.mu.Unlock()
	switch {
	case r.ended() && r.Export.State == manifest.Exported:
		b.bar.SetCurrent(100)
	case r.ended():
		b.bar.Abort(false)
	default:
		b.bar.SetCurrent(int64(min(r.Progress, 99)))
	}
}

func (v *barView) ready(l *local) error { return printReady(v.w, l) }

func (v *barView) show(rows []row) {
	if v.progress == nil {
		v.progress = mpb.New(mpb.WithOutput(v.w), mpb.WithWidth(20), mpb.WithRefreshRate(100*time.Millisecond))
		v.bars = map[string]*barRow{}
	}
	for _, r := range rows {
		b, ok := v.bars[r.ImageID]
		if !ok {
			b = v.add(r)
			v.bars[r.ImageID] = b
		}
		b.set(r)
	}
}

func (v *barView) add(r row) *barRow {
	b := &barRow{row: r}
	b.bar = v.progress.AddBar(100,
		mpb.PrependDecorators(
			decor.Name(r.Name, decor.WCSyncSpaceR),
			decor.Any(func(decor.Statistics) string { return fmt.Sprintf("%-10s", b.get().state()) }, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return tail(b.get()) })))
	return b
}

// stop ends the drawing; what has not ended stays as it is.
func (v *barView) stop() {
	if v.progress == nil {
		return
	}
	for _, b := range v.bars {
		if !b.get().ended() {
			b.bar.Abort(false)
		}
	}
	v.progress.Wait()
}

func tail(r row) string {
	switch {
	case r.Export != nil && r.Export.Reason != "":
		return r.Export.Reason + ": " + r.Export.Remedy
	case r.Export != nil && r.Export.State == manifest.Exported:
		return words.Plural(len(r.Export.Objects), "object") + " verified"
	}
	return fmt.Sprintf("%3d%%", r.Progress)
}

func (v *barView) done(l *local, r result) error {
	v.stop()
	return printDone(v.w, l, r, v.once)
}

func printReady(w io.Writer, l *local) error {
	r := readyOf(l)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, line := range [][2]string{
		{"region", r.Region}, {"account", r.AccountID}, {"ECS", "http://" + r.ECSEndpoint}, {"OSS", r.OSSEndpoint},
		{"STS", "http://" + r.STSEndpoint}, {"FC", "http://" + r.FCEndpoint + "  function " + r.FunctionName},
		{"HTTP trigger", r.HTTPURL + "  for signed requests"}, {"status page", "imageferry ui --local " + r.ControlURL},
		{"control", r.ControlURL + "  for --local of the other commands"}, {"access key", r.AccessKeyID + "  " + r.AccessKeySecret + "  (for this run only)"},
	} {
		if _, err := fmt.Fprintf(t, "  %s\t%s\n", line[0], line[1]); err != nil {
			return err
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

func printDone(w io.Writer, l *local, r result, once bool) error {
	ready, s := readyOf(l), summarize(r.rows)
	names := make([]string, 0, len(r.calls))
	for name := range r.calls {
		names = append(names, name)
	}
	sort.Strings(names)
	_, _ = fmt.Fprintf(w, "\n%s: %d exported, %d skipped, %d failed, in %s\n", words.Plural(s.Images, "image"), s.Exported, s.Skipped, s.Failed,
		r.elapsed.Round(100*time.Millisecond))
	_, _ = fmt.Fprint(w, "calls by the function:")
	for _, name := range names {
		_, _ = fmt.Fprintf(w, " %s %d", name, r.calls[name])
	}
	_, err := fmt.Fprintf(w, "\nobjects    oss://%s/\nmanifests  oss://%s/%smanifests/\n", ready.Bucket, ready.ManifestBucket, ready.ManifestPrefix)
	for _, row := range r.rows {
		if !row.met() {
			_, err = fmt.Fprintf(w, "UNEXPECTED %s: %s, wanted %s %s\n", row.Name, describe(row), row.State, row.Reason)
		}
	}
	if !once {
		_, err = fmt.Fprintln(w, "\nThe cloud stays up until Ctrl-C.")
	}
	return err
}
