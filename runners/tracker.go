package runners

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"svcbench/internal/agent"
)

// tracker remembers when pods were seen to become ready or not, and when
// EndpointSlices followed, by watching the API server as a proxy does.
type tracker struct {
	pods, slices apiwatch.Interface
	ended        chan struct{} // closed when a watch has ended by itself

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something was seen
	seen    map[string]*seenPod
	listed  map[string][]string // the ready pods of each EndpointSlice
	failed  error               // why a watch has ended, if the API server said
}

// seenPod is what was seen of a pod.
type seenPod struct {
	name    string
	service string
	node    string
	ip      netip.Addr

	ready   turn // as it says itself; it is not any more when it is told to end
	sliced  turn // as its EndpointSlice says
	deleted bool
}

// turn is whether something is so, and when that was last seen to change: in ns
// of CLOCK_MONOTONIC, 0 for never.
type turn struct {
	on bool
	at int64
}

// to notes that it is so, or not.
func (t *turn) to(on bool, at int64) {
	if t.on != on {
		t.on, t.at = on, at
	}
}

func newTracker(ctx context.Context, api kubernetes.Interface, namespace string) (*tracker, error) {
	t := &tracker{ended: make(chan struct{}), changed: make(chan struct{}), seen: map[string]*seenPod{}, listed: map[string][]string{}}
	all := metav1.ListOptions{LabelSelector: poddedLabel}
	var err error
	if t.pods, err = api.CoreV1().Pods(namespace).Watch(ctx, all); err != nil {
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	if t.slices, err = api.DiscoveryV1().EndpointSlices(namespace).Watch(ctx, all); err != nil {
		t.pods.Stop()
		return nil, fmt.Errorf("watch endpoints: %w", err)
	}
	var once sync.Once
	for _, w := range []apiwatch.Interface{t.pods, t.slices} {
		go func() {
			for e := range w.ResultChan() {
				t.note(e, agent.Now())
			}
			once.Do(func() { close(t.ended) })
		}()
	}
	return t, nil
}

// close ends the watches. It may be called more than once.
func (t *tracker) close() {
	t.pods.Stop()
	t.slices.Stop()
}

// note remembers what an event tells.
func (t *tracker) note(e apiwatch.Event, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch o := e.Object.(type) {
	case *corev1.Pod:
		p := t.of(o.Name)
		p.service, p.node = o.Labels[poddedLabel], o.Spec.NodeName
		if ip, err := netip.ParseAddr(o.Status.PodIP); err == nil { // else it has none yet
			p.ip = ip
		}
		p.deleted = e.Type == apiwatch.Deleted
		p.ready.to(isReady(o) && !p.deleted, at)
	case *discovery.EndpointSlice:
		t.list(o.Name, readyPods(o, e.Type == apiwatch.Deleted), at)
	default:
		t.failed = apierrors.FromObject(e.Object)
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

// list remembers which pods are ready by an EndpointSlice. mu must be held.
func (t *tracker) list(slice string, ready []string, at int64) {
	for _, name := range t.listed[slice] {
		if !slices.Contains(ready, name) {
			t.of(name).sliced.to(false, at)
		}
	}
	for _, name := range ready {
		t.of(name).sliced.to(true, at)
	}
	t.listed[slice] = ready
}

// of returns what was seen of a pod. mu must be held.
func (t *tracker) of(name string) *seenPod {
	if t.seen[name] == nil {
		t.seen[name] = &seenPod{name: name}
	}
	return t.seen[name]
}

// readyPods are the ready pods of an EndpointSlice; none once it is deleted.
func readyPods(s *discovery.EndpointSlice, deleted bool) []string {
	var ready []string
	for _, endpoint := range s.Endpoints {
		if r := endpoint.Conditions.Ready; !deleted && (r == nil || *r) && endpoint.TargetRef != nil {
			ready = append(ready, endpoint.TargetRef.Name)
		}
	}
	return ready
}

func isReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil
		}
	}
	return false
}

// fresh waits for a pod of a Service, none of those that are known, that is ready
// and in its EndpointSlice.
func (t *tracker) fresh(ctx context.Context, service string, known []seenPod) (seenPod, error) {
	return t.find(ctx, "a new pod of "+service+" to be ready", func(p *seenPod) bool {
		return p.service == service && p.ready.on && p.sliced.on && !slices.ContainsFunc(known, p.same)
	})
}

// running waits for a pod of a Service that has an address, ready or not.
func (t *tracker) running(ctx context.Context, service string) (seenPod, error) {
	return t.find(ctx, "a pod of "+service+" to get an address", func(p *seenPod) bool {
		return p.service == service && p.ip.IsValid() && !p.deleted
	})
}

// turned waits until a pod and its EndpointSlice say that it is ready, or that it
// is not.
func (t *tracker) turned(ctx context.Context, pod seenPod, on bool) (seenPod, error) {
	return t.find(ctx, fmt.Sprintf("readiness of pod %s to become %t", pod.name, on), func(p *seenPod) bool {
		return p.same(pod) && p.ready.on == on && p.sliced.on == on
	})
}

// gone waits until one of a Service's pods does not exist any more.
func (t *tracker) gone(ctx context.Context, service string, pods []seenPod) (seenPod, error) {
	return t.find(ctx, "a pod of "+service+" to be gone", func(p *seenPod) bool {
		return slices.ContainsFunc(pods, p.same) && p.deleted && !p.sliced.on
	})
}

// same reports whether two are the same pod, whatever was seen of it.
func (p *seenPod) same(other seenPod) bool { return p.name == other.name }

// find waits until what was seen of a pod fits.
func (t *tracker) find(ctx context.Context, what string, fits func(*seenPod) bool) (seenPod, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, podPatience, fmt.Errorf("waited %v for %s", podPatience, what))
	defer cancel()
	for {
		found, changed := t.first(fits)
		if found.name != "" {
			return found, nil
		}
		select {
		case <-changed:
		case <-t.ended:
			return seenPod{}, errors.Join(errors.New("the API server ended a watch"), t.why())
		case <-ctx.Done():
			return seenPod{}, context.Cause(ctx)
		}
	}
}

// first returns a pod that fits now, without a name if there is none, and what is
// closed when something else was seen.
func (t *tracker) first(fits func(*seenPod) bool) (seenPod, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.seen {
		if fits(p) {
			return *p, t.changed
		}
	}
	return seenPod{}, t.changed
}

// why is what the API server said when it ended a watch; nil if it said nothing.
func (t *tracker) why() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}
