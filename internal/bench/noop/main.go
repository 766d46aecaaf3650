// Noop is the least that a Go function on Function Compute can be: what the benchmarks measure the function against.
package main

import (
	"context"
	"encoding/json"

	"github.com/aliyun/fc-runtime-go-sdk/fc"
)

func main() { fc.Start(handle) }

// handle answers every event with an empty object.
func handle(context.Context, json.RawMessage) (struct{}, error) { return struct{}{}, nil }
