package path

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	clsactKind = "clsact"
	// A filter of the lowest priority number runs first, and of two of the
	// same number the one added later (net/sched/cls_bpf.c adds to the head
	// of its list). So ours is in front of Cilium's, which also have 1.
	filterPriority = 1
	// filterHandle tells our filter from others of that priority, which are
	// numbered from 1: "SVCB" in ASCII.
	filterHandle = 0x53564342
	filterName   = "svcbench_path"
)

// attachClsact attaches by classifiers on a clsact queueing discipline (Linux
// 4.5), for kernels without tcx. Unlike there, the programs stay when the
// process is killed: until the links or their namespace are deleted, or until
// the next probe replaces them.
func attachClsact(p pair) (io.Closer, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	c := &clsact{netlink: h}
	if err = c.add(p.backend, netlink.HANDLE_MIN_EGRESS, p.leave); err == nil {
		err = c.add(p.client, netlink.HANDLE_MIN_INGRESS, p.enter)
	}
	if err != nil {
		return nil, errors.Join(clsactError(err), c.Close())
	}
	return c, nil
}

// clsactError tells a kernel without clsact or cls_bpf, which answers "no such
// entry" for an unknown kind, from other failures.
func clsactError(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPERM) {
		return &UnsupportedError{Because: err.Error()}
	}
	return err
}

// clsact is what attachClsact added to links. Its netlink socket stays in the
// network namespace in which it was opened.
type clsact struct {
	netlink *netlink.Handle
	undo    []func() error
}

// add puts a program on one side (parent) of a link.
func (c *clsact) add(index int, parent uint32, program *ebpf.Program) error {
	if err := c.ensureQdisc(index); err != nil {
		return err
	}
	filter := &netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: index,
			Parent:    parent,
			Handle:    filterHandle,
			Protocol:  unix.ETH_P_ALL,
			Priority:  filterPriority,
		},
		Fd:           program.FD(),
		Name:         filterName,
		DirectAction: true,
	}
	// Replace, because a killed probe may have left its own.
	if err := c.netlink.FilterReplace(filter); err != nil {
		return fmt.Errorf("add filter: %w", err)
	}
	c.undo = append(c.undo, func() error { return c.netlink.FilterDel(filter) })
	return nil
}

// ensureQdisc gives the link a clsact queueing discipline if it has none.
func (c *clsact) ensureQdisc(index int) error {
	l, err := c.netlink.LinkByIndex(index)
	if err != nil {
		return fmt.Errorf("find link %d: %w", index, err)
	}
	present, err := c.netlink.QdiscList(l)
	if err != nil {
		return fmt.Errorf("list queueing disciplines: %w", err)
	}
	if slices.ContainsFunc(present, func(q netlink.Qdisc) bool { return q.Type() == clsactKind }) {
		return nil
	}
	qdisc := &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: index,
		Handle:    netlink.MakeHandle(0xffff, 0),
		Parent:    netlink.HANDLE_CLSACT,
	}}
	err = c.netlink.QdiscAdd(qdisc)
	if errors.Is(err, unix.EEXIST) {
		// Its place is taken by the older kind, "ingress".
		return &UnsupportedError{Because: fmt.Sprintf("link %q has an ingress queueing discipline, which has no way out", l.Attrs().Name)}
	}
	if err != nil {
		return fmt.Errorf("add clsact: %w", err)
	}
	c.undo = append(c.undo, func() error { return c.removeQdisc(l, qdisc) })
	return nil
}

// removeQdisc takes away a queueing discipline that was added here, unless
// somebody else has put a filter on it meanwhile.
func (c *clsact) removeQdisc(l netlink.Link, qdisc netlink.Qdisc) error {
	for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		left, err := c.netlink.FilterList(l, parent)
		if err != nil {
			return fmt.Errorf("list filters: %w", err)
		}
		if len(left) > 0 {
			return nil
		}
	}
	return c.netlink.QdiscDel(qdisc)
}

// Close takes everything off the links again. That a link is gone, and with it
// what was on it, is not an error.
func (c *clsact) Close() error {
	var errs []error
	for _, undo := range slices.Backward(c.undo) {
		err := undo()
		// The kernel has a different word for it at each step.
		if err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, err)
		}
	}
	c.undo = nil
	c.netlink.Close()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("detach path probe: %w", err)
	}
	return nil
}
