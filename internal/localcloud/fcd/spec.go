package fcd

import (
	"time"

	"github.com/netresearch/go-cron"

	"imageferry/internal/localcloud/eventbus"
)

// A Spec is a function with its triggers, as an s.yaml describes it. [ParseSpec] makes one.
type Spec struct {
	// Region is where the function is deployed.
	Region string
	// Name is the function's name.
	Name string
	// Handler is the path of the binary within the code package.
	Handler string
	// MemoryMB is the memory in MB. The embedded cloud tells it to the function and does not enforce it.
	MemoryMB int
	// Timeout ends an invocation.
	Timeout time.Duration
	// Role is the bare name of the role that the function runs as.
	Role string
	// Environment is the function's own environment.
	Environment map[string]string
	// Async says how asynchronous invocations are retried.
	Async Async
	// Timers, Events and HTTP are the enabled triggers; HTTP is nil if there is none.
	Timers []Timer
	Events []EventTrigger
	HTTP   *HTTPTrigger
}

// Async is the configuration of asynchronous invocations.
type Async struct {
	// MaxRetries is how often a failed invocation is retried.
	MaxRetries int
	// MaxAge is how long an event is kept, in the platform's time.
	MaxAge time.Duration
	// FailureQueue is the name of the MNS queue that receives what finally failed; empty if there is none.
	FailureQueue string
}

// A Timer invokes the function on a schedule.
type Timer struct {
	Name     string
	Schedule cron.Schedule
	// Payload is handed over within the timer's event.
	Payload string
}

// An EventTrigger invokes the function for each event that its pattern selects.
type EventTrigger struct {
	Name    string
	Pattern []byte
}

// An HTTPTrigger invokes the function for each HTTP request.
type HTTPTrigger struct {
	Name string
	// Anonymous tells that requests need no signature.
	Anonymous bool
	// Methods are the methods that are let through.
	Methods []string
}

// parseCron reads a timer's expression: six fields with the seconds first, in UTC or in the zone that CRON_TZ= names.
func parseCron(expression string) (cron.Schedule, error) {
	// Guess: a day of the month and a day of the week that are both restricted are alternatives, as in cron.
	return cron.MustNewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor | cron.DowOrDom).
		Parse(expression)
}

// checkPattern reports what is wrong with an event pattern.
func checkPattern(pattern string) error {
	_, err := eventbus.ParsePattern([]byte(pattern))
	return err
}
