package fcd

import "syscall"

// processAttributes puts a function's process into a group of its own, out of reach of a terminal's signals, and has it
// killed when this process dies.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
