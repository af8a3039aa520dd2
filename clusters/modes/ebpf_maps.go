package modes

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	bpf "github.com/cilium/ebpf"

	"svcbench/clusters"
	"svcbench/internal/failure"
)

// ciliumMaps are the maps that the agent fills with Services, in the folder
// where it pins them. The first has the frontends with their slots.
var ciliumMaps = []string{"cilium_lb4_services_v2", "cilium_lb4_backends_v3", "cilium_lb4_reverse_nat"}

// Rules counts what is in the agent's maps: as "count" the entries by which
// packets find their Service and endpoint, as "elements" those of all maps,
// as "sets" the maps, and as "memory" what the kernel charges for them. A map
// that is full has overflowed: the agent makes them larger than a population
// needs.
func (e ebpf) Rules(_ context.Context, n Node) (clusters.Rules, error) {
	r := clusters.Rules{Counts: map[string]int64{}}
	for i, name := range ciliumMaps {
		entries, memory, err := measurePinned(n.Path(filepath.Join(ciliumBPF, "tc", "globals", name)))
		if err != nil {
			return clusters.Rules{}, fmt.Errorf("read map %s of Cilium: %w", name, err)
		}
		if i == 0 {
			r.Counts["count"] = entries
		}
		r.Counts["sets"]++
		r.Counts["elements"] += entries
		r.Counts["memory"] += memory
	}
	return r, nil
}

// measurePinned measures the map at a path.
func measurePinned(path string) (entries, memory int64, err error) {
	m, err := bpf.LoadPinnedMap(path, &bpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return 0, 0, err
	}
	defer m.Close()
	return measure(m)
}

// measure counts the entries of a map, and the bytes that the kernel charges
// for it.
func measure(m *bpf.Map) (entries, memory int64, err error) {
	if entries, err = countEntries(m); err != nil {
		return 0, 0, err
	}
	if entries >= int64(m.MaxEntries()) {
		return 0, 0, failure.New(failure.Invalid, fmt.Errorf("it is full: %d of %d entries", entries, m.MaxEntries()), "")
	}
	info, err := m.Info()
	if err != nil {
		return 0, 0, err
	}
	charged, ok := info.Memlock()
	if !ok {
		return 0, 0, errors.New("the kernel does not say how large it is")
	}
	return entries, int64(charged), nil
}

// countEntries walks a map, which nothing may change meanwhile.
func countEntries(m *bpf.Map) (int64, error) {
	var n int64
	var key any // none: the first
	for {
		next, err := m.NextKeyBytes(key)
		if err != nil {
			return 0, err
		}
		if next == nil { // the end
			return n, nil
		}
		key = next
		n++
	}
}
