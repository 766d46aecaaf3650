package fcd

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

var (
	functionName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`)
	triggerName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,127}$`)
	variableName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	regionID     = regexp.MustCompile(`^[a-z]{2}-[a-z0-9-]+$`)
	handlerPath  = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)
	roleName     = regexp.MustCompile(`^(acs:ram::[0-9]{16}:role/)?([A-Za-z0-9.-]{1,64})$`)
	queueARN     = regexp.MustCompile(`^acs:mns:([a-z0-9-]+):([0-9]{16})?:/queues/([A-Za-z0-9-]{1,120})/messages$`)
)

// withoutEffect are the properties that concern an account's network, logs and bills: they are legal, and the embedded
// cloud has nothing to do for them. Properties that change how a function runs, and that it does not have, are unknown.
var withoutEffect = []string{
	"annotations", "concurrencyConfig", "customDNS", "description", "endpoint", "internetAccess", "logConfig", "nasConfig",
	"ossMountConfig", "provisionConfig", "resourceGroupId", "scalingConfig", "tags", "tracingConfig", "vpcBinding", "vpcConfig",
}

// ParseSpec reads an s.yaml of Serverless Devs (edition 3.0.0) that deploys one function with the component fc3. The given
// vars replace those of the document, which has to declare them. The component itself lets almost everything pass; here,
// unknown keys and values that the platform would refuse are errors, all of them reported at once, each with its path.
func ParseSpec(document []byte, vars map[string]string) (Spec, error) {
	var root map[string]any
	if err := yaml.Unmarshal(document, &root); err != nil {
		return Spec{}, fmt.Errorf("decode s.yaml: %w", err)
	}
	found := &problems{}
	top := node{value: root, problems: found}.object("edition", "name", "access", "vars", "resources")
	top.need("edition").oneOf("3.0.0")
	top.need("name").matching(functionName)
	top.get("access").text()
	values := variables(top.get("vars"), vars)
	spec := parseResources(node{"resources", expand(top.need("resources"), values), found})
	if err := found.err(); err != nil {
		return Spec{}, fmt.Errorf("check s.yaml: %w", err)
	}
	return spec, nil
}

func variables(n node, override map[string]string) map[string]any {
	declared, ok := n.value.(map[string]any)
	if n.present() && !ok {
		n.problem("not a mapping")
	}
	values := map[string]any{}
	for name, value := range declared {
		switch value.(type) {
		case map[string]any, []any, nil:
			n.problems.add(join(n.path, name), "not a scalar")
		}
		values[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(override)) {
		if _, ok := declared[name]; !ok {
			n.problems.add(join(n.path, name), "not declared, but given a value")
		}
		values[name] = likewise(declared[name], override[name])
	}
	return values
}

// likewise is a text with the type of the value that it replaces, if it can have that.
func likewise(declared any, text string) any {
	switch declared.(type) {
	case uint64, int64, float64:
		if number, err := strconv.ParseFloat(text, 64); err == nil {
			return number
		}
	}
	return text
}

func parseResources(n node) Spec {
	resources, _ := n.value.(map[string]any)
	if len(resources) != 1 {
		n.problem("%d resources, not the one function", len(resources))
		return Spec{}
	}
	var name string
	for name = range resources {
	}
	resource := node{join(n.path, name), resources[name], n.problems}.object("component", "actions", "props", "access")
	resource.need("component").oneOf("fc3")
	checkActions(resource.get("actions"))
	return parseFunction(resource.need("props"))
}

func checkActions(n node) {
	actions := n.object("pre-deploy", "post-deploy")
	for _, phase := range []string{"pre-deploy", "post-deploy"} {
		for _, step := range actions.get(phase).list() {
			s := step.object("run", "path")
			s.need("run").text()
			s.get("path").text()
		}
	}
}

func parseFunction(n node) Spec {
	props := n.object(append([]string{
		"functionName", "region", "runtime", "handler", "code", "memorySize", "cpu", "diskSize", "timeout", "role",
		"environmentVariables", "asyncInvokeConfig", "triggers",
	}, withoutEffect...)...)
	spec := Spec{
		Name:        props.need("functionName").matching(functionName),
		Region:      props.need("region").matching(regionID),
		Handler:     props.need("handler").matching(handlerPath),
		Timeout:     3 * time.Second,
		Environment: parseEnvironment(props.get("environmentVariables")),
		Role:        parseRole(props.need("role")),
	}
	// Only this runtime speaks the protocol of fc-runtime-go-sdk.
	props.need("runtime").oneOf("go1")
	props.need("code").text()
	if timeout := props.get("timeout"); timeout.present() {
		spec.Timeout = time.Duration(timeout.integer(1, 86400)) * time.Second
	}
	spec.MemoryMB = parseSize(props)
	spec.Async = parseAsync(props.get("asyncInvokeConfig"), spec.Region)
	parseTriggers(props.get("triggers"), &spec)
	return spec
}

// parseSize checks memory, vCPU and disk, each for itself and the ratio of the first two.
func parseSize(props object) (memoryMB int) {
	const defaultMB, defaultCPU = 512, 0.35
	memoryMB, cpu := defaultMB, defaultCPU
	if memory := props.get("memorySize"); memory.present() {
		if memoryMB = memory.integer(128, 32768); memoryMB%64 != 0 {
			memory.problem("%d is not a multiple of 64", memoryMB)
		}
		if !props.get("cpu").present() && memoryMB != defaultMB {
			props.get("cpu").problem("missing, and has a default for a memorySize of %d only", defaultMB)
			return memoryMB
		}
	}
	if n := props.get("cpu"); n.present() {
		cpu = n.number(0.05, 16)
		if twentieths := cpu * 20; math.Abs(twentieths-math.Round(twentieths)) > 1e-9 {
			n.problem("%v is not a multiple of 0.05", cpu)
		}
	}
	if ratio := float64(memoryMB) / 1024 / cpu; memoryMB > 0 && cpu > 0 && (ratio < 1-1e-9 || ratio > 4+1e-9) {
		props.get("cpu").problem("%v vCPU to %d MB is not between 1:1 and 1:4 (GB)", cpu, memoryMB)
	}
	if disk := props.get("diskSize"); disk.present() {
		if size := disk.integer(512, 10240); size != 0 && size != 512 && size != 10240 {
			disk.problem("%d is neither 512 nor 10240", size)
		}
	}
	return memoryMB
}

// parseRole returns the bare name, in lower case as the component writes it.
func parseRole(n node) string {
	match := roleName.FindStringSubmatch(n.matching(roleName))
	if match == nil {
		return ""
	}
	return strings.ToLower(match[2])
}

func parseEnvironment(n node) map[string]string {
	environment := map[string]string{}
	m, ok := n.value.(map[string]any)
	if n.present() && !ok {
		n.problem("not a mapping")
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(m)) {
		entry := node{join(n.path, name), m[name], n.problems}
		switch {
		case !variableName.MatchString(name):
			entry.problem("the name does not match %s", variableName)
		case strings.HasPrefix(name, "FC_"):
			entry.problem("the prefix FC_ is reserved")
		case !entry.present():
			entry.problem("no value")
		}
		environment[name] = entry.text()
		size += len(name) + len(environment[name])
	}
	if size > 4<<10 {
		n.problem("%d bytes, more than 4 KB", size)
	}
	return environment
}

func parseAsync(n node, region string) Async {
	async := Async{MaxRetries: 3, MaxAge: 86400 * time.Second}
	config := n.object("maxAsyncRetryAttempts", "maxAsyncEventAgeInSeconds", "destinationConfig", "qualifier")
	config.get("qualifier").oneOf("LATEST")
	if attempts := config.get("maxAsyncRetryAttempts"); attempts.present() {
		async.MaxRetries = attempts.integer(0, 8)
	}
	if age := config.get("maxAsyncEventAgeInSeconds"); age.present() {
		async.MaxAge = time.Duration(age.integer(1, 604800)) * time.Second
	}
	// The embedded cloud has no use for successes, so it plays onFailure only.
	failure := config.get("destinationConfig").object("onFailure").get("onFailure")
	destination := failure.object("destination").get("destination")
	if failure.present() && !destination.present() {
		destination.problem("missing")
	}
	if match := queueARN.FindStringSubmatch(destination.matching(queueARN)); match != nil {
		if match[1] != region {
			destination.problem("the queue is in %s, not in the function's region", match[1])
		}
		async.FailureQueue = match[3]
	}
	return async
}
