package modes

import (
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"

	"svcbench/clusters"
)

// sum adds up the histograms of a family whose labels are wanted. The family
// may be nil.
func sum(family *dto.MetricFamily, wanted func(labels map[string]string) bool) clusters.Syncs {
	var s clusters.Syncs
	for _, m := range family.GetMetric() {
		if wanted(labelsOf(m)) {
			s.Count += m.GetHistogram().GetSampleCount()
			s.Duration += time.Duration(m.GetHistogram().GetSampleSum() * float64(time.Second))
		}
	}
	return s
}

// buckets adds up the buckets of a family whose labels are wanted. The family may
// be nil.
func buckets(family *dto.MetricFamily, wanted func(labels map[string]string) bool) clusters.Buckets {
	b := clusters.Buckets{Counts: map[float64]uint64{}}
	for _, m := range family.GetMetric() {
		if !wanted(labelsOf(m)) {
			continue
		}
		b.All += m.GetHistogram().GetSampleCount()
		for _, one := range m.GetHistogram().GetBucket() {
			if !math.IsInf(one.GetUpperBound(), 1) {
				b.Counts[one.GetUpperBound()] += one.GetCumulativeCount()
			}
		}
	}
	return b
}

// gauge adds up the gauges of a family whose labels are wanted. The family may
// be nil.
func gauge(family *dto.MetricFamily, wanted func(labels map[string]string) bool) float64 {
	var v float64
	for _, m := range family.GetMetric() {
		if wanted(labelsOf(m)) {
			v += m.GetGauge().GetValue()
		}
	}
	return v
}

func labelsOf(m *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}
