package trace_test

import (
	"testing"
	"time"

	"imageferry/internal/localcloud/trace"
)

// Each operation has its own room in each minute of the clock; a minute that is used up stays so until it is over.
func TestThrottle(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 40, 0, time.UTC)
	inject := trace.Throttle(map[string]int{"ExportImage": 2, "DescribeTasks": 1}, func() time.Time { return now })
	for n, c := range []struct {
		operation string
		pass      time.Duration
		refused   bool
	}{
		{"ExportImage", 0, false}, {"ExportImage", 0, false}, {"ExportImage", 0, true}, {"DescribeTasks", 0, false}, {"DescribeTasks", 0, true},
		{"GetObject", 0, false}, {"ExportImage", 19 * time.Second, true}, {"ExportImage", time.Second, false}, {"ExportImage", 59 * time.Second, false},
		{"ExportImage", 0, true}, {"ExportImage", time.Hour, false},
	} {
		now = now.Add(c.pass)
		fault := inject(trace.Call{Operation: c.operation})
		if refused := fault.Refuse != nil; refused != c.refused || refused && fault.Refuse.Code != "Throttling.User" {
			t.Errorf("call %d, %s at %v: %+v", n, c.operation, now, fault)
		}
	}
}
