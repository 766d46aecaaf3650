package fcd

import (
	"regexp"
	"slices"
	"strings"
)

// everyMinutes matches the one form of @every that the platform documents.
//
// Guess: other units than minutes, of which no example was found, are refused.
var everyMinutes = regexp.MustCompile(`^@every [1-9][0-9]*m$`)

const (
	// maxEventTriggers is how many rules of cloud services the default event bus holds.
	maxEventTriggers = 10
	// maxTimerPayload is the size of an asynchronous payload, which a timer's is.
	maxTimerPayload = maxAsyncPayload
)

func parseTriggers(n node, spec *Spec) {
	names := map[string]bool{}
	httpTriggers, eventTriggers := 0, 0
	for _, element := range n.list() {
		trigger := element.object("triggerName", "triggerType", "triggerConfig", "description", "qualifier")
		name := trigger.need("triggerName").matching(triggerName)
		if names[name] {
			trigger.get("triggerName").problem("%q is taken", name)
		}
		names[name] = true
		trigger.get("description").text()
		trigger.get("qualifier").oneOf("LATEST")
		config := trigger.need("triggerConfig")
		switch trigger.need("triggerType").oneOf("timer", "http", "eventbridge") {
		case "timer":
			parseTimer(name, config, spec)
		case "http":
			if httpTriggers++; httpTriggers > 1 {
				element.problem("a second HTTP trigger")
			}
			spec.HTTP = parseHTTP(name, config)
		case "eventbridge":
			if eventTriggers++; eventTriggers > maxEventTriggers {
				element.problem("more than %d event triggers", maxEventTriggers)
			}
			parseEvents(name, config, spec)
		}
	}
}

func parseTimer(name string, n node, spec *Spec) {
	config := n.object("cronExpression", "enable", "payload")
	expression := config.need("cronExpression")
	text := expression.text()
	schedule, err := parseCron(text)
	switch {
	case !expression.present():
	case strings.HasPrefix(text, "@") && !everyMinutes.MatchString(text):
		expression.problem("%q is not of the form @every <minutes>m", text)
	case strings.HasPrefix(text, "TZ="):
		expression.problem("a time zone is written CRON_TZ=")
	case err != nil:
		expression.problem("%v", err)
	}
	payload := config.get("payload").text()
	if len(payload) > maxTimerPayload {
		config.get("payload").problem("%d bytes, more than 128 KB", len(payload))
	}
	if config.need("enable").boolean() {
		spec.Timers = append(spec.Timers, Timer{Name: name, Schedule: schedule, Payload: payload})
	}
}

func parseHTTP(name string, n node) *HTTPTrigger {
	config := n.object("authType", "methods", "disableURLInternet")
	config.get("disableURLInternet").boolean()
	// jwt is the platform's third kind, which the embedded cloud does not have.
	trigger := &HTTPTrigger{Name: name, Anonymous: config.need("authType").oneOf("function", "anonymous") == "anonymous"}
	methods := config.need("methods")
	for _, method := range methods.list() {
		m := method.oneOf("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")
		if slices.Contains(trigger.Methods, m) {
			method.problem("%s again", m)
		}
		trigger.Methods = append(trigger.Methods, m)
	}
	if methods.present() && len(trigger.Methods) == 0 {
		methods.problem("no method")
	}
	return trigger
}

func parseEvents(name string, n node, spec *Spec) {
	config := n.object("triggerEnable", "asyncInvocationType", "eventRuleFilterPattern", "eventSourceConfig")
	// A synchronous trigger is retried by EventBridge instead of Function Compute, which the embedded cloud does not play.
	if async := config.need("asyncInvocationType"); async.present() && !async.boolean() {
		async.problem("only asynchronous event triggers are supported here")
	}
	// Only custom sources, such as MNS, bound the function's timeout: at five minutes.
	source := config.need("eventSourceConfig").object("eventSourceType")
	source.need("eventSourceType").oneOf("Default")
	pattern := config.need("eventRuleFilterPattern")
	text := pattern.text()
	if err := checkPattern(text); pattern.present() && err != nil {
		pattern.problem("%v", err)
	}
	if config.need("triggerEnable").boolean() {
		spec.Events = append(spec.Events, EventTrigger{Name: name, Pattern: []byte(text)})
	}
}
