package runners

import (
	"net/netip"
	"testing"

	"svcbench/internal/agent/errkind"
	"svcbench/internal/agent/flow"
)

func TestFateOf(t *testing.T) {
	gone := removal{sent: 100, old: []netip.Addr{podIP(1), podIP(2)}}
	answered := func(pod int, first, last int64) flow.Stretch {
		return flow.Stretch{From: podIP(pod), First: first, Last: last}
	}
	silent := func(first, last int64) flow.Stretch {
		return flow.Stretch{Failure: errkind.Timeout, First: first, Last: last}
	}
	for _, test := range []struct {
		what      string
		stretches []flow.Stretch
		led       bool
		want      fate
	}{
		{"left at once", []flow.Stretch{answered(1, 10, 90), answered(3, 110, 500)}, true, fate{true, 1, 1}},
		{"left later", []flow.Stretch{answered(1, 10, 150), answered(3, 160, 500)}, true, fate{true, 50, 1}},
		{"left with a pause", []flow.Stretch{answered(1, 10, 150), silent(160, 300), answered(3, 310, 500)}, true, fate{true, 50, 150}},
		{"led to another that was removed", []flow.Stretch{answered(1, 10, 150), answered(2, 160, 200), answered(3, 210, 500)}, true, fate{true, 100, 1}},
		{"goes on", []flow.Stretch{answered(1, 10, 500)}, true, fate{}},
		{"is silent for ever", []flow.Stretch{answered(1, 10, 150), silent(160, 500)}, true, fate{}},
		{"never led there", []flow.Stretch{answered(3, 10, 500)}, false, fate{}},
		{"had left before", []flow.Stretch{answered(1, 10, 50), answered(3, 60, 500)}, false, fate{}},
		{"came there later", []flow.Stretch{answered(3, 10, 150), answered(1, 160, 500)}, false, fate{}},
		{"heard nothing at all", []flow.Stretch{silent(10, 500)}, false, fate{}},
	} {
		got, led := fateOf(flow.Flow{Stretches: test.stretches}, gone)
		if led != test.led || got != test.want {
			t.Errorf("%s: %+v, %t, want %+v, %t", test.what, got, led, test.want, test.led)
		}
	}
}
