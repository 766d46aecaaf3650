//go:build !unix

package fcd

import "syscall"

// processAttributes leaves a function's process as the system starts it.
func processAttributes() *syscall.SysProcAttr { return nil }
