package trace

import (
	"net/http"
	"sync"
	"time"
)

// Throttle returns an Injector that refuses calls as ECS does: each of the operations may be called so many times in a minute
// of the clock, and what is refused in a minute is allowed again in the next one. Other operations are not touched.
//
// Guess: a minute is one of the clock, all of a service's operations are counted apart, and refused calls do not count.
func Throttle(perMinute map[string]int, now func() time.Time) Injector {
	var mu sync.Mutex
	minutes := map[string]time.Time{}
	used := map[string]int{}
	return func(c Call) Fault {
		limit, limited := perMinute[c.Operation]
		if !limited {
			return Fault{}
		}
		mu.Lock()
		defer mu.Unlock()
		if minute := now().Truncate(time.Minute); !minute.Equal(minutes[c.Operation]) {
			minutes[c.Operation], used[c.Operation] = minute, 0
		}
		if used[c.Operation] >= limit {
			return Fault{Refuse: &Refusal{Status: http.StatusBadRequest, Code: "Throttling.User",
				Message: "Request was denied due to user flow control."}}
		}
		used[c.Operation]++
		return Fault{}
	}
}
