package modes

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"

	bpf "github.com/cilium/ebpf"

	"svcbench/scenarios"
)

// newTable makes maps like those of the agent.
func newTable(t *testing.T) ciliumTable {
	t.Helper()
	hash := func(key, value uint32) *bpf.Map {
		m, err := bpf.NewMap(&bpf.MapSpec{Type: bpf.Hash, KeySize: key, ValueSize: value, MaxEntries: 16})
		if errors.Is(err, os.ErrPermission) {
			t.Skip("making BPF maps needs root")
		}
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	table := ciliumTable{services: hash(12, 12), backends: hash(4, 12)}
	t.Cleanup(func() {
		if err := table.Close(); err != nil {
			t.Error(err)
		}
	})
	return table
}

func (t ciliumTable) put(test *testing.T, key serviceKey, value serviceValue) {
	test.Helper()
	if err := t.services.Put(key, value); err != nil {
		test.Fatal(err)
	}
}

// A Service is found by address, port and protocol, and its endpoints through
// its slots.
func TestCiliumTable(t *testing.T) {
	table := newTable(t)
	service := netip.MustParseAddrPort("10.96.1.2:80")
	tcp := serviceKey{Address: [4]byte{10, 96, 1, 2}, Port: [2]byte{0, 80}, Proto: 6}
	table.put(t, tcp, serviceValue{Count: 3})
	for slot, backend := range map[uint16]uint32{1: 7, 2: 1 << 20} {
		key := tcp
		key.Slot = slot
		table.put(t, key, serviceValue{Backend: backend})
	}
	for id, last := range map[uint32]byte{7: 1, 1 << 20: 2} {
		if err := table.backends.Put(id, backendValue{Address: [4]byte{10, 128, 0, last}, Port: [2]byte{0x1f, 0x90}}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := table.Endpoints(service, scenarios.TCP)
	slices.SortFunc(got, netip.Addr.Compare)
	// The third slot is not there yet.
	if want := []netip.Addr{netip.MustParseAddr("10.128.0.1"), netip.MustParseAddr("10.128.0.2")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, other := range []struct {
		service  string
		protocol scenarios.Protocol
	}{{"10.96.1.2:80", scenarios.UDP}, {"10.96.1.2:81", scenarios.TCP}, {"10.96.1.3:80", scenarios.TCP}} {
		if got, err := table.Endpoints(netip.MustParseAddrPort(other.service), other.protocol); err != nil || got != nil {
			t.Errorf("%v: got %v, %v", other, got, err)
		}
	}
}
