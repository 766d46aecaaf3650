package fcd

import (
	"encoding/json"
	"time"
)

// timerEvent is what a timer hands to the function.
type timerEvent struct {
	TriggerTime string `json:"triggerTime"`
	TriggerName string `json:"triggerName"`
	Payload     string `json:"payload"`
}

// runTimer fires until the Server is closed. A tick does not wait for the one before. Ticks that were missed, because the
// platform's time runs faster than this machine, are left out.
func (s *Server) runTimer(timer Timer) {
	last := s.clock.now()
	for {
		next := timer.Schedule.Next(last)
		if now := s.clock.now(); next.Before(now) && !next.IsZero() {
			next = timer.Schedule.Next(now)
		}
		if next.IsZero() { // a date that never comes, such as the 30th of February
			return
		}
		if !s.clock.wait(s.ctx, next.Sub(s.clock.now())) {
			return
		}
		event, _ := json.Marshal(timerEvent{ // strings always encode
			TriggerTime: next.UTC().Format(time.RFC3339), TriggerName: timer.Name, Payload: timer.Payload,
		})
		s.InvokeAsync(event, "timer/"+timer.Name)
		last = next
	}
}
