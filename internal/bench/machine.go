package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// A Machine is what the figures were measured on. It names neither the host nor a path.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memoryBytes"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

// thisMachine leaves out what /proc does not tell.
func thisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU(), Kernel: runtime.GOOS, Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}
	m.CPU = field("/proc/cpuinfo", "model name")
	if kB, err := strconv.ParseInt(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		m.Memory = kB << 10
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		// What follows the numbers is the distribution's, and may name a host.
		version, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-")
		m.Kernel = "Linux " + version
	}
	return m
}

// field is the value of the first line of a file such as "name : value"; empty when there is none.
func field(path, name string) string {
	data, err := os.ReadFile(path) // #nosec G304 -- files of /proc
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (m Machine) String() string {
	cpu := m.CPU
	if cpu == "" {
		cpu = "an unknown processor"
	}
	return fmt.Sprintf("%s, %d cores, %s of memory, %s, %s.", cpu, m.Cores, Bytes.format(float64(m.Memory)), m.Kernel, m.Go)
}
