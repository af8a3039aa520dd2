// Package stats holds the statistics of svcbench: histograms that merge
// exactly, quantiles taken from them, and intervals over blocks.
package stats

import (
	"fmt"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// The range and precision of every histogram: 1 ns to 60 s with three
// significant decimal digits, so that all of them can be merged.
const (
	lowest  = int64(1)
	highest = int64(60 * time.Second)
	digits  = 3
)

// Histogram counts durations in nanoseconds. It is not safe for concurrent
// use. Recording does not allocate.
type Histogram struct {
	h *hdr.Histogram
}

// NewHistogram returns an empty histogram.
func NewHistogram() *Histogram { return &Histogram{h: hdr.New(lowest, highest, digits)} }

// Decode returns the histogram that Encode wrote.
func Decode(s string) (*Histogram, error) {
	h, err := hdr.Decode([]byte(s))
	if err != nil {
		return nil, fmt.Errorf("decode HDR histogram: %w", err)
	}
	return &Histogram{h: h}, nil
}

// Record counts a duration of ns nanoseconds. Values outside the range are
// counted at its ends, so that nothing is lost.
func (h *Histogram) Record(ns int64) {
	// RecordValue fails only outside the range, which the clamp excludes.
	_ = h.h.RecordValue(min(max(ns, lowest), highest))
}

// Merge adds the counts of o to h.
func (h *Histogram) Merge(o *Histogram) { h.h.Merge(o.h) }

// Reset forgets all counts.
func (h *Histogram) Reset() { h.h.Reset() }

// Count returns the number of recorded values.
func (h *Histogram) Count() int64 { return h.h.TotalCount() }

// Quantile returns the value in ns at q, which is between 0 and 1. It is 0
// for an empty histogram.
func (h *Histogram) Quantile(q float64) int64 { return h.h.ValueAtQuantile(q * 100) }

// Max returns the largest recorded value in ns, to the histogram's precision.
func (h *Histogram) Max() int64 { return h.h.Max() }

// Min returns the smallest recorded value in ns, to the histogram's precision.
func (h *Histogram) Min() int64 { return h.h.Min() }

// Encode returns the histogram in HdrHistogram's V2 compressed base64 form.
func (h *Histogram) Encode() (string, error) {
	b, err := h.h.Encode(hdr.V2CompressedEncodingCookieBase)
	if err != nil {
		return "", fmt.Errorf("encode HDR histogram: %w", err)
	}
	return string(b), nil
}
