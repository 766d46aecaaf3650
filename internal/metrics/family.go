package metrics

import (
	"fmt"
	"io"
	"strings"

	"github.com/VictoriaMetrics/metrics"
)

// A family is all series of one name. It has a set of its own, so that it can be given its HELP and TYPE: the library knows
// no help texts, and its switch for TYPE is one for the whole process.
type family struct {
	name, help, kind string
	series           *metrics.Set
}

func gauge(name, help string) *family   { return &family{name, help, "gauge", metrics.NewSet()} }
func counter(name, help string) *family { return &family{name, help, "counter", metrics.NewSet()} }

// set gives the gauge of the labels, which are names and values in turn, its value.
func (f *family) set(value float64, labels ...string) { f.gauge(labels).Set(value) }

// add adds to the gauge of the labels.
func (f *family) add(value float64, labels ...string) { f.gauge(labels).Add(value) }

func (f *family) gauge(labels []string) *metrics.Gauge {
	return f.series.GetOrCreateGauge(f.id(labels), nil)
}

// inc counts one more for the labels.
func (f *family) inc(labels ...string) { f.series.GetOrCreateCounter(f.id(labels)).Inc() }

// escape writes a label's value as the text format asks.
var escape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func (f *family) id(labels []string) string {
	if len(labels) == 0 {
		return f.name
	}
	var pairs []string
	for i := 0; i < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+escape.Replace(labels[i+1])+`"`)
	}
	return f.name + "{" + strings.Join(pairs, ",") + "}"
}

// write writes the family, or nothing while it has no series.
func (f *family) write(w io.Writer) {
	if len(f.series.ListMetricNames()) == 0 {
		return
	}
	_, _ = fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", f.name, f.help, f.name, f.kind)
	f.series.WritePrometheus(w)
}
