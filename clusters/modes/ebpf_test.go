package modes

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	bpf "github.com/cilium/ebpf"
	dto "github.com/prometheus/client_model/go"

	"svcbench/clusters"
	"svcbench/internal/failure"
)

func TestEBPFFits(t *testing.T) {
	for _, test := range []struct {
		size clusters.Size
		want string // what the error names; empty for none
	}{
		{clusters.Size{ClusterIPs: 65534, Endpoints: 1 << 20}, ""},
		{clusters.Size{ClusterIPs: 65535}, "65534 at most, and there would be 65535 (65535 cluster IP ports)"},
		{clusters.Size{ClusterIPs: 50000, NodePorts: 2768}, ""},
		{clusters.Size{ClusterIPs: 60000, NodePorts: 2000}, "68000 (60000 cluster IP ports and 2000 node ports at 4 addresses)"},
	} {
		err := ebpf{}.Fits(test.size)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.size, err, test.want)
		}
	}
}

// The maps have room for what Cilium writes for a population, and never less
// than it takes by itself.
func TestMapEntries(t *testing.T) {
	for _, test := range []struct {
		size clusters.Size
		want int
	}{
		{clusters.Size{ClusterIPs: 100, Endpoints: 200}, 65536},
		{clusters.Size{ClusterIPs: 60000, Endpoints: 120000}, 300000},
	} {
		if got := mapEntries(test.size); got != test.want {
			t.Errorf("%+v: %d entries, want %d", test.size, got, test.want)
		}
	}
}

// Only what was spent on frontends counts, and the agent has settled when the
// node is ready.
func TestEBPFSyncs(t *testing.T) {
	histogram := func(module string, count uint64, sum float64) *dto.Metric {
		return &dto.Metric{
			Label:     []*dto.LabelPair{{Name: new("module_id"), Value: &module}},
			Histogram: &dto.Histogram{SampleCount: &count, SampleSum: &sum},
		}
	}
	gauge := func(label, value string, n float64) *dto.Metric {
		return &dto.Metric{Label: []*dto.LabelPair{{Name: &label, Value: &value}}, Gauge: &dto.Gauge{Value: &n}}
	}
	const frontends = "agent.controlplane." + ciliumModule
	metrics := map[string]*dto.MetricFamily{
		ciliumSyncs:     {Metric: []*dto.Metric{histogram(frontends, 10, 0.25), histogram("agent.datapath.sysctl", 7, 1)}},
		ciliumErrors:    {Metric: []*dto.Metric{gauge("module_id", frontends, 3), gauge("module_id", "agent.datapath.sysctl", 2)}},
		ciliumEndpoints: {Metric: []*dto.Metric{gauge("endpoint_state", "ready", 1), gauge("endpoint_state", "regenerating", 0)}},
	}
	got := ebpf{}.Syncs(metrics)
	if want := (clusters.Syncs{Count: 10, Duration: 250 * time.Millisecond, Failing: 3}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	metrics[ciliumEndpoints].Metric[1] = gauge("endpoint_state", "regenerating", 1)
	if got := (ebpf{}).Syncs(metrics); !got.Unsettled {
		t.Error("settled while an endpoint is regenerated")
	}
	if got := (ebpf{}).Syncs(nil); !reflect.DeepEqual(got, clusters.Syncs{Unsettled: true}) {
		t.Errorf("without metrics: %+v", got)
	}
}

// A map is counted as the kernel has it, and a full one is a failure of the
// measurement.
func TestMeasureMap(t *testing.T) {
	dir := t.TempDir()
	m, err := bpf.NewMap(&bpf.MapSpec{Type: bpf.Hash, KeySize: 4, ValueSize: 8, MaxEntries: 3, Flags: 1}) // BPF_F_NO_PREALLOC
	if errors.Is(err, os.ErrPermission) {
		t.Skip("making BPF maps needs root")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if entries, memory, err := measure(m); entries != 0 || memory <= 0 || err != nil {
		t.Errorf("empty: %d entries, %d bytes, %v", entries, memory, err)
	}
	for key := range uint32(3) {
		if entries, _, err := measure(m); entries != int64(key) || err != nil {
			t.Errorf("%d entries, %v, want %d", entries, err, key)
		}
		if err := m.Put(key, uint64(key)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := measure(m); failure.CodeOf(err) != failure.Invalid || !strings.Contains(err.Error(), "3 of 3") {
		t.Errorf("full: %v", err)
	}
	if _, _, err := measurePinned(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a map that is not there: %v", err)
	}
}

func TestCheckClang(t *testing.T) {
	for text, ok := range map[string]bool{
		"Debian clang version 19.1.7 (3~deb12u1)\nTarget: x86_64": true,
		"clang version 18.1.0":        true,
		"Ubuntu clang version 18.0.9": false,
		"Debian clang version 14.0.6": false,
		"gcc 12":                      false,
	} {
		if err := checkClang([]byte(text)); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What the agent could not see is refused before it starts, also behind a link.
func TestOutsideRun(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/run/.", link); err != nil {
		t.Fatal(err)
	}
	inside, err := os.MkdirTemp("/run", "svcbench-test-")
	if errors.Is(err, os.ErrPermission) {
		t.Skip("/run is only root's")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(inside)
	below := filepath.Join(link, filepath.Base(inside))
	for _, test := range []struct {
		s    Settings
		hint string
	}{
		{Settings{Dir: t.TempDir(), Assets: t.TempDir()}, ""},
		{Settings{Dir: inside, Assets: t.TempDir()}, "TMPDIR"},
		{Settings{Dir: below, Assets: t.TempDir()}, "TMPDIR"},
		{Settings{Dir: t.TempDir(), Assets: below}, "XDG_CACHE_HOME"},
	} {
		err := outsideRun(test.s)
		if (err == nil) != (test.hint == "") || !strings.Contains(failure.HintOf(err), test.hint) {
			t.Errorf("%+v: %v, next: %s", test.s, err, failure.HintOf(err))
		}
	}
}
