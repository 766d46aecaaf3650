package main

import (
	"fmt"
	"slices"
)

// A Sample is what several runs of one measurement gave.
type Sample struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Runs   int     `json:"runs"`

	values []float64 // in the order in which they were measured
}

// sampleOf needs at least one value.
func sampleOf(values ...float64) Sample {
	return Sample{Median: median(values), Min: slices.Min(values), Max: slices.Max(values), Runs: len(values), values: values}
}

// median of an even number of values is the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratio of two samples that were measured in turn is the median of the ratios run by run: a machine that becomes slower in the
// middle slows both.
func ratio(ours, other Sample) float64 {
	if len(ours.values) != len(other.values) {
		return ours.Median / other.Median
	}
	ratios := make([]float64, len(ours.values))
	for i := range ratios {
		ratios[i] = ours.values[i] / other.values[i]
	}
	return median(ratios)
}

// A measurement gives one value.
type measurement func() (float64, error)

// inTurn takes each measurement n times, A B A B …, after one of each that does not count; where one is enough, it is the only
// one.
func inTurn(n int, measurements ...measurement) ([]Sample, error) {
	warm := 1
	if n == 1 {
		warm = 0
	}
	values := make([][]float64, len(measurements))
	for run := range warm + n {
		for i, measure := range measurements {
			v, err := measure()
			if err != nil {
				return nil, fmt.Errorf("run %d: %w", run, err)
			}
			if run >= warm {
				values[i] = append(values[i], v)
			}
		}
	}
	samples := make([]Sample, len(values))
	for i, v := range values {
		samples[i] = sampleOf(v...)
	}
	return samples, nil
}
