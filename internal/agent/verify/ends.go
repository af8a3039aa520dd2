package verify

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"svcbench/internal/agent"
)

// Ends verifies that the first and the last address of a range of pods answer on
// a port.
func Ends(ctx context.Context, l agent.Launcher, pods netip.Prefix, port uint16) error {
	spec := Spec{Timeout: 10 * time.Second}
	for _, ip := range []netip.Addr{pods.Addr().Next(), last(pods).Prev()} {
		spec.Targets = append(spec.Targets, Target{ID: "pod " + ip.String(), Addr: netip.AddrPortFrom(ip, port), Want: []netip.Addr{ip}})
	}
	result, err := Run(ctx, l, spec)
	if err != nil {
		return err
	}
	if !result.Converged() {
		return errors.New(result.Reason())
	}
	return nil
}

// last is the highest address of an IPv4 range.
func last(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		a[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(a)
}
