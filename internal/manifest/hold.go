package manifest

import "time"

// A Hold tells why nothing is submitted for now: a refusal that all exports share. It is a hint: losing it costs one
// refused call.
type Hold struct {
	Reason string    `json:"reason"`
	Remedy string    `json:"remedy"`
	Detail string    `json:"detail,omitempty"`
	Since  time.Time `json:"since"`
	// Until is when new events submit again by themselves; ticks probe before that.
	Until time.Time `json:"until"`
	// ProbedAt is when the last call was refused, zero in what older versions wrote.
	ProbedAt time.Time `json:"probedAt,omitzero"`
	// Probes counts the refused calls since Since.
	Probes int `json:"probes"`
}
