package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// errNoProc: the kernel does not tell about processes as Linux does, so there is nothing to measure.
var errNoProc = errors.New("this system has no /proc")

// child is the one process that this one has started and that still runs.
func child() (int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return 0, errNoProc
	}
	own := strconv.Itoa(os.Getpid())
	var found []int
	for _, path := range stats {
		data, err := os.ReadFile(path) // #nosec G304 -- files of /proc
		if err != nil {
			continue // it has ended
		}
		// The name, in parentheses, may have spaces: the state and the parent follow it.
		rest := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if len(rest) > 1 && rest[1] == own && rest[0] != "Z" {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path))) // the pattern has digits only
			found = append(found, pid)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("find the function's process: there are %d", len(found))
	}
	return found[0], nil
}

// memory is a line of a process's status in bytes: VmHWM, the most that was ever resident, or VmRSS, what is now.
func memory(pid int, line string) (float64, error) {
	text := field(fmt.Sprintf("/proc/%d/status", pid), line)
	kB, err := strconv.ParseFloat(strings.TrimSuffix(text, " kB"), 64)
	if err != nil {
		return 0, fmt.Errorf("read %s of the function's process: %w", line, err)
	}
	return kB * 1024, nil
}

// processorTime is what the threads of a process have used of the processors.
func processorTime(pid int) (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		return 0, errNoProc
	}
	var sum time.Duration
	for _, path := range threads {
		data, err := os.ReadFile(path) // #nosec G304 -- files of /proc
		if err != nil {
			continue // a thread that has ended since
		}
		used, _, _ := strings.Cut(string(data), " ")
		ns, err := strconv.ParseInt(used, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", path, err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}
