package path

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// pair is the two ends of the path: a program and the index of its link each.
type pair struct {
	enter, leave    *ebpf.Program
	client, backend int
}

// method is one way to attach a pair. It returns an *UnsupportedError where
// the kernel does not know that way.
type method struct {
	name   string
	attach func(pair) (io.Closer, error)
}

// methods returns the ways to attach in order of preference: tcx leaves nothing
// behind however the process ends, and can be first for certain.
func methods() []method {
	return []method{{"tcx", attachTCX}, {"clsact", attachClsact}}
}

// attach puts the recorder's programs on the links of the current network
// namespace, in front of every other program there, by the first method that
// the kernel knows. It returns the name of that method.
func attach(spec Spec, r *recorder, ways []method) (string, io.Closer, error) {
	client, err := net.InterfaceByName(spec.ClientLink)
	if err != nil {
		return "", nil, fmt.Errorf("attach path probe: find the client's link %q: %w", spec.ClientLink, err)
	}
	backend, err := net.InterfaceByName(spec.BackendLink)
	if err != nil {
		return "", nil, fmt.Errorf("attach path probe: find the backend's link %q: %w", spec.BackendLink, err)
	}
	p := pair{enter: r.objects.Enter, leave: r.objects.Leave, client: client.Index, backend: backend.Index}
	var because []string
	for _, way := range ways {
		attached, err := way.attach(p)
		if unsupported, ok := errors.AsType[*UnsupportedError](err); ok {
			because = append(because, way.name+": "+unsupported.Because)
			continue
		}
		if err != nil {
			return "", nil, fmt.Errorf("attach path probe to %q and %q by %s: %w", spec.ClientLink, spec.BackendLink, way.name, err)
		}
		return way.name, attached, nil
	}
	return "", nil, &UnsupportedError{Because: "programs cannot be attached to links here (" + strings.Join(because, "; ") + ")"}
}

// attachTCX attaches by tcx (Linux 6.6). Both programs go to the head: behind
// one that decides about packets by itself, as Cilium's do, they would not run.
func attachTCX(p pair) (io.Closer, error) {
	var links closers
	for _, o := range []link.TCXOptions{
		// The way out first: nothing may come in that cannot be matched.
		{Interface: p.backend, Program: p.leave, Attach: ebpf.AttachTCXEgress, Anchor: link.Head()},
		{Interface: p.client, Program: p.enter, Attach: ebpf.AttachTCXIngress, Anchor: link.Head()},
	} {
		l, err := link.AttachTCX(o)
		if err != nil {
			if errors.Is(err, ebpf.ErrNotSupported) {
				err = &UnsupportedError{Because: err.Error()}
			}
			return nil, errors.Join(err, links.Close())
		}
		links = append(links, l)
	}
	return links, nil
}

// closers closes several things, the last first.
type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for i := len(c) - 1; i >= 0; i-- {
		errs = append(errs, c[i].Close())
	}
	return errors.Join(errs...)
}
