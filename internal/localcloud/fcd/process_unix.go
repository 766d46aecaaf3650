//go:build unix && !linux

package fcd

import "syscall"

// processAttributes puts a function's process into a group of its own, out of reach of a terminal's signals.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
