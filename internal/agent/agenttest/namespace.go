package agenttest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"svcbench/internal/agent"
)

// Namespace is a network namespace without a name: the kernel removes it with
// everything inside when the test ends, however it ends.
type Namespace struct {
	t testing.TB
	h netns.NsHandle
}

// NewNamespace makes a namespace with its loopback device up. The test is
// skipped where that is not permitted.
func NewNamespace(t testing.TB) *Namespace {
	t.Helper()
	n := &Namespace{t: t, h: netns.None()}
	err := onThread(func() (err error) {
		n.h, err = netns.New()
		return err
	})
	if errors.Is(err, unix.EPERM) {
		t.Skipf("cannot make network namespaces: %v", err)
	}
	if err != nil {
		t.Fatalf("make network namespace: %v", err)
	}
	t.Cleanup(func() { n.h.Close() })
	n.Must(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	return n
}

// Do runs f on a thread inside the namespace and returns its error.
func (n *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := netns.Set(n.h); err != nil {
			return err
		}
		return f()
	})
}

// Must is Do for what cannot fail.
func (n *Namespace) Must(f func() error) {
	n.t.Helper()
	if err := n.Do(f); err != nil {
		n.t.Fatal(err)
	}
}

// Serve returns an agent that runs inside the namespace.
func (n *Namespace) Serve(serve Serve) Serve {
	return func(ctx context.Context, c *agent.Conn) error {
		return n.Do(func() error { return serve(ctx, c) })
	}
}

// Connect joins two namespaces by a veth pair and returns the names of its
// ends. Each end gets its prefix's address, and a default route to the other.
func Connect(a *Namespace, at netip.Prefix, b *Namespace, bt netip.Prefix) (aLink, bLink string) {
	a.t.Helper()
	aLink, bLink = "veth-a", "veth-b"
	a.Must(func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs:     netlink.LinkAttrs{Name: aLink},
			PeerName:      bLink,
			PeerNamespace: netlink.NsFd(b.h),
		})
	})
	for _, end := range []struct {
		in       *Namespace
		link     string
		own, far netip.Prefix
	}{{a, aLink, at, bt}, {b, bLink, bt, at}} {
		end.in.Must(func() error {
			link, err := netlink.LinkByName(end.link)
			if err != nil {
				return err
			}
			address, err := netlink.ParseAddr(end.own.String())
			if err != nil {
				return err
			}
			if err := netlink.AddrAdd(link, address); err != nil {
				return err
			}
			if err := netlink.LinkSetUp(link); err != nil {
				return err
			}
			return netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: end.far.Addr().AsSlice()})
		})
	}
	a.awaitLink(aLink)
	b.awaitLink(bLink)
	return aLink, bLink
}

// awaitLink waits until the kernel has noticed that the link has a peer, which
// it does at its leisure: until then it drops what is sent, and a lost ARP
// request is repeated only after a second.
func (n *Namespace) awaitLink(name string) {
	n.t.Helper()
	n.Must(func() error {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-tick.C {
			link, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if link.Attrs().OperState == netlink.OperUp {
				return nil
			}
		}
		return fmt.Errorf("link %s does not come up", name)
	})
}

// AnyIP makes every address of the prefix an address of the namespace.
func (n *Namespace) AnyIP(prefix netip.Prefix) {
	n.t.Helper()
	n.Must(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		dst, err := netlink.ParseIPNet(prefix.String())
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{
			LinkIndex: lo.Attrs().Index, Dst: dst, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST,
		})
	})
}

// onThread runs f on a thread of its own, which ends with f: it may be left in
// any namespace.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked, so that the runtime ends the thread
		done <- f()
	}()
	return <-done
}
