package stats

import (
	"fmt"
	"io"
	"slices"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Logged is a histogram with what an HdrHistogram log says of it.
type Logged struct {
	*Histogram
	// Tag tells it from others in one log. It must hold no comma, blank or line end.
	Tag string
	// Start and End are the bounds of the time in which it counted, in ms since 1970.
	Start, End int64
}

// WriteLog writes histograms as an HdrHistogram log of format 1.3, which its log
// analyzers and plotters read: in the order of their starts, as it asks for. Values are
// in ns.
func WriteLog(w io.Writer, comment string, all []Logged) error {
	log := hdr.NewHistogramLogWriter(w)
	steps := []func() error{
		func() error { return log.OutputComment("[" + comment + "]") },
		log.OutputLogFormatVersion,
		log.OutputLegend,
	}
	if len(all) > 0 { // of which the times of the lines are counted
		log.SetBaseTime(all[0].Start)
		steps = slices.Insert(steps, 2, func() error { return log.OutputStartTime(all[0].Start) }, func() error { return log.OutputBaseTime(all[0].Start) })
	}
	for _, one := range all {
		steps = append(steps, func() error {
			h := hdr.Import(one.h.Export())
			h.SetTag(one.Tag)
			h.SetStartTimeMs(one.Start)
			h.SetEndTimeMs(one.End)
			return log.OutputIntervalHistogram(h)
		})
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("write HdrHistogram log: %w", err)
		}
	}
	return nil
}
