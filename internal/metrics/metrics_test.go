package metrics

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)

func overview() export.Overview {
	oldest := now.Add(-90 * time.Minute)
	return export.Overview{
		States: map[manifest.State]int{
			manifest.Queued: 3, manifest.Exporting: 2, manifest.Exported: 4100, manifest.Skipped: 7, manifest.Failed: 1,
		},
		Reasons:      map[string]int{"quota-weekly": 3, "image-windows": 7, "task-failed": 1, "of-the-future": 2, "and-more": 1},
		Bytes:        5_000_000_000_001,
		OldestQueued: &oldest,
		Coverage:     &export.Coverage{Wanted: 4106, Exported: 4100, At: now.Add(-time.Hour)},
		Hold:         &manifest.Hold{Reason: "quota-weekly", Since: now.Add(-2 * time.Hour)},
		Heartbeats: []manifest.Heartbeat{
			{Action: "follow", At: now.Add(-time.Minute)},
			{Action: "sweep", At: now.Add(-time.Hour), Failed: true},
			{Action: "a\"}\nforged 1", At: now},
		},
	}
}

func busy() *Metrics {
	m := New("1.2.3", export.Reasons())
	for range 3 {
		m.Called(context.Background(), "ecs:DescribeTasks", "")
	}
	m.Called(context.Background(), "ecs:ExportImage", "")
	m.Called(context.Background(), "ecs:ExportImage", "quota")
	m.Called(context.Background(), "oss:PutObject", "unavailable")
	return m
}

func TestWrite(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	if err := busy().Write(&page, overview(), now); err != nil {
		t.Fatal(err)
	}
	parse(t, page.Bytes())
	const golden = "testdata/metrics.txt"
	if *update {
		if err := os.WriteFile(golden, page.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if page.String() != string(want) {
		t.Errorf("wrote\n%s\nwant\n%s", page.String(), want)
	}
}

// What is not known has no series; what is none is 0.
func TestWriteNothing(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	if err := New("1.2.3", nil).Write(&page, export.Overview{}, now); err != nil {
		t.Fatal(err)
	}
	families := parse(t, page.Bytes())
	for name, series := range map[string]int{
		"imageferry_exports": 7, "imageferry_oldest_queued_age_seconds": 1, "imageferry_exported_bytes": 1, "imageferry_info": 1,
	} {
		if got := len(families[name].GetMetric()); got != series {
			t.Errorf("%s has %d series, want %d", name, got, series)
		}
	}
	if len(families) != 4 {
		t.Errorf("families: %v", families)
	}
}

// parse reads a page strictly: valid names, each family once and in one block, help and type before every series.
func parse(t *testing.T, page []byte) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(page))
	if err != nil {
		t.Fatalf("%v in\n%s", err, page)
	}
	for name, f := range families {
		if f.GetHelp() == "" || f.Type == nil || f.GetType() == dto.MetricType_UNTYPED {
			t.Errorf("%s lacks help or type", name)
		}
		if strings.HasSuffix(name, "_total") != (f.GetType() == dto.MetricType_COUNTER) {
			t.Errorf("%s is a %s", name, f.GetType())
		}
		for _, kind := range []string{"HELP", "TYPE"} {
			if n := strings.Count(string(page), "# "+kind+" "+name+" "); n != 1 {
				t.Errorf("%s has %d lines of %s", name, n, kind)
			}
		}
	}
	return families
}

// However much is called, and whatever others wrote, the number of series stays within bounds.
func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	m := New("1.2.3", export.Reasons())
	o := export.Overview{Reasons: map[string]int{}}
	for i := range 1000 {
		m.Called(context.Background(), fmt.Sprintf("ecs:Call%d", i), "refused")
		o.Reasons[fmt.Sprintf("reason-%d", i)] = 1
	}
	var page bytes.Buffer
	if err := m.Write(&page, o, now); err != nil {
		t.Fatal(err)
	}
	families := parse(t, page.Bytes())
	if got := len(families["imageferry_api_calls_total"].GetMetric()); got != maxAPIs+1 {
		t.Errorf("%d series of calls", got)
	}
	if got := families["imageferry_exports_by_reason"].GetMetric(); len(got) != 1 || got[0].GetGauge().GetValue() != 1000 {
		t.Errorf("series by reason: %v", got)
	}
}

func TestVersionIsEscaped(t *testing.T) {
	t.Parallel()
	const version = "1\"}\nforged\\"
	var page bytes.Buffer
	if err := New(version, nil).Write(&page, export.Overview{}, now); err != nil {
		t.Fatal(err)
	}
	info := parse(t, page.Bytes())["imageferry_info"].GetMetric()
	if got := info[0].GetLabel()[0].GetValue(); got != version {
		t.Errorf("version %q", got)
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	m := New("1.2.3", nil)
	ctx, tally := WithTally(context.Background())
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			m.Called(ctx, "oss:GetObject", "")
			m.Called(ctx, "oss:GetObject", "timeout")
			m.Called(context.Background(), "oss:GetObject", "") // somebody else's
			_ = m.Write(&bytes.Buffer{}, overview(), now)
			_ = tally.Counts()
		})
	}
	group.Wait()
	if got := tally.Counts(); len(got) != 1 || got["oss:GetObject"] != (Count{Calls: 16, Errors: 8}) {
		t.Errorf("tally %v", got)
	}
	var page bytes.Buffer
	if err := m.Write(&page, export.Overview{}, now); err != nil {
		t.Fatal(err)
	}
	if all := parse(t, page.Bytes())["imageferry_api_calls_total"].GetMetric(); all[0].GetCounter().GetValue() != 24 {
		t.Errorf("instance counts %v", all)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errCut }

var errCut = errors.New("cut")

func TestWriteFails(t *testing.T) {
	t.Parallel()
	if err := busy().Write(broken{}, overview(), now); !errors.Is(err, errCut) {
		t.Errorf("error %v", err)
	}
}
