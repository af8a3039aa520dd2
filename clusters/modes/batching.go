package modes

import (
	"cmp"
	"fmt"
	"time"

	"svcbench/scenarios"
)

// kubeProxyBatching says how long kube-proxy gathers changes in a mode.
func kubeProxyBatching(mode scenarios.Mode, s scenarios.Settings) string {
	shortest, _ := periods(mode, s)
	if shortest.Duration <= time.Nanosecond { // what stands for none
		return batching(s) + "a sync does not wait for more changes (minSyncPeriod 1ns)."
	}
	return batching(s) + fmt.Sprintf("a sync waits at least %v after the one before (minSyncPeriod).", shortest.Duration)
}

// ciliumBatching says how long Cilium gathers changes. Unlike kube-proxy, which
// starts at once after a pause, it does so in any case.
func ciliumBatching(s scenarios.Settings) string {
	return batching(s) + fmt.Sprintf("the agent takes up changes at the ticks of a clock, one every %v (--lb-reflector-wait-time).", reflectorWait(Settings{Settings: s}))
}

// batching is the beginning of both.
func batching(s scenarios.Settings) string {
	return fmt.Sprintf("Batching %s: ", cmp.Or(s.Batching, scenarios.DefaultBatching))
}
