//go:build race

package unpack_test

// raced is true when the race detector slows everything down.
const raced = true
