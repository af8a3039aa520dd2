package modes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"

	bpf "github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"svcbench/clusters"
	"svcbench/scenarios"
)

// Tabled is a mode whose rules can be looked up while its proxy writes them.
type Tabled interface {
	// Table opens them at a node where the proxy runs.
	Table(n Node) (clusters.Table, error)
}

var _ Tabled = ebpf{}

// ciliumTable is the two maps by which a packet finds an endpoint: the first
// leads from the address of a Service and the number of a slot to the number
// of a backend, the second from there to its address.
type ciliumTable struct{ services, backends *bpf.Map }

// Table opens the agent's maps.
func (ebpf) Table(n Node) (clusters.Table, error) {
	var t ciliumTable
	for name, m := range map[string]**bpf.Map{ciliumMaps[0]: &t.services, ciliumMaps[1]: &t.backends} {
		path := n.Path(filepath.Join(ciliumBPF, "tc", "globals", name))
		opened, err := bpf.LoadPinnedMap(path, &bpf.LoadPinOptions{ReadOnly: true})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open map %s of Cilium: %w", name, err), t.Close())
		}
		*m = opened
	}
	return t, nil
}

// Close closes the maps.
func (t ciliumTable) Close() error {
	var errs []error
	for _, m := range []*bpf.Map{t.services, t.backends} {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	return errors.Join(errs...)
}

// serviceKey is struct lb4_key of Cilium v1.20 (bpf/lib/lb.h). Slot 0 is the
// frontend itself.
type serviceKey struct {
	Address [4]byte
	Port    [2]byte // network byte order
	Slot    uint16
	Proto   uint8
	Scope   uint8
	_       [2]uint8
}

// serviceValue is struct lb4_service: of a slot the number of its backend, of
// the frontend how many slots it has.
type serviceValue struct {
	Backend       uint32
	Count         uint16
	RevNAT        uint16
	Flags, Flags2 uint8
	QCount        uint16
}

// backendValue is struct lb4_backend.
type backendValue struct {
	Address      [4]byte
	Port         [2]byte
	Proto, Flags uint8
	ClusterID    uint16
	Zone         uint8
	_            uint8
}

// Endpoints looks a Service up as a packet would. A slot that is being written
// is left out.
func (t ciliumTable) Endpoints(service netip.AddrPort, protocol scenarios.Protocol) ([]netip.Addr, error) {
	key := serviceKey{Address: service.Addr().As4(), Proto: unix.IPPROTO_TCP}
	binary.BigEndian.PutUint16(key.Port[:], service.Port())
	if protocol == scenarios.UDP {
		key.Proto = unix.IPPROTO_UDP
	}
	var frontend serviceValue
	if err := t.services.Lookup(key, &frontend); errors.Is(err, bpf.ErrKeyNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("look up Service %v: %w", service, err)
	}
	var found []netip.Addr
	for slot := range frontend.Count {
		key.Slot = slot + 1
		var at serviceValue
		var to backendValue
		err := t.services.Lookup(key, &at)
		if err == nil {
			err = t.backends.Lookup(at.Backend, &to)
		}
		switch {
		case err == nil:
			found = append(found, netip.AddrFrom4(to.Address))
		case !errors.Is(err, bpf.ErrKeyNotExist):
			return nil, fmt.Errorf("look up slot %d of Service %v: %w", key.Slot, service, err)
		}
	}
	return found, nil
}
