package runners

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"svcbench/clusters"
	"svcbench/scenarios"
)

const (
	// typicalPodChange is how long a Service is busy with a change: a new pod has
	// to become ready, and an old one to go. No Service is changed twice at a
	// time, so that there must be as many as are busy at once, and leastPodded
	// at least.
	typicalPodChange = 15 * time.Second
	leastPodded      = 6
)

// podKind is a kind of change to Services with real pods.
type podKind interface {
	// services is how many Services a churn needs.
	services(c *scenarios.Churn) int
	// groups says which Services a change takes together.
	groups(all []*podded) [][]*podded
	// prepare is called before there are pods.
	prepare(ctx context.Context) error
	// pod is what the Services' pods are, answering on a port.
	pod(port uint16) corev1.PodSpec
	// furnish does what a pod needs to become ready.
	furnish(ctx context.Context, pod seenPod) error
	// move prepares the n-th change, to a Service.
	move(ctx context.Context, n int, p *podded) (move, error)
	// begin is called shortly before the changes of a group are due.
	begin(ctx context.Context) error
}

// move is a change to one Service.
type move struct {
	// kind is its name in results.
	kind string
	// comes says that a pod comes, which is a new one unless it is back.
	comes bool
	back  *seenPod
	// leave are the pods that connections leave, ends says that those go away.
	leave []seenPod
	ends  bool
	// away is the node to which no pod must come; empty for none.
	away string
	// write makes it so.
	write func(ctx context.Context) error
}

// podKindOf returns the kind of that name.
func podKindOf(name scenarios.ChurnKind, api kubernetes.Interface, pods clusters.Podded) (podKind, error) {
	base := singly{name: name, api: api, pods: pods}
	switch name {
	case scenarios.RollPods:
		return rolling{base}, nil
	case scenarios.DeletePods:
		return deleting{base}, nil
	case scenarios.ScalePods:
		return scaling{base}, nil
	case scenarios.FlipReadiness:
		return flipping{base}, nil
	case scenarios.DrainNode:
		nodes := pods.PodNodes()
		return &draining{singly: base, here: nodes[0], there: nodes[1]}, nil
	}
	return nil, fmt.Errorf("no change of pods is called %s", name)
}

// singly is what most kinds have in common: each change is one Service's.
type singly struct {
	name scenarios.ChurnKind
	api  kubernetes.Interface
	pods clusters.Podded
}

func (s singly) services(c *scenarios.Churn) int {
	return max(leastPodded, int(math.Ceil(c.Rate*typicalPodChange.Seconds())))
}

func (s singly) groups(all []*podded) [][]*podded {
	var groups [][]*podded
	for _, p := range all {
		groups = append(groups, []*podded{p})
	}
	return groups
}

func (s singly) prepare(context.Context) error          { return nil }
func (s singly) pod(port uint16) corev1.PodSpec         { return s.pods.Pod(port, s.pods.PodNodes()[0]) }
func (s singly) furnish(context.Context, seenPod) error { return nil }
func (s singly) begin(context.Context) error            { return nil }

// replaced is a change that replaces the only pod, without what is written.
func (s singly) replaced(p *podded) move {
	return move{kind: string(s.name), comes: true, leave: p.pods, ends: true}
}

// rolling changes the template of the Deployment, as "kubectl rollout restart"
// does: the new pod is ready before the old one is told to end.
type rolling struct{ singly }

func (r rolling) move(_ context.Context, n int, p *podded) (move, error) {
	m := r.replaced(p)
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{"svcbench.dev/rollout": strconv.Itoa(n)},
	}}}})
	m.write = func(ctx context.Context) error {
		_, err := r.api.AppsV1().Deployments(podNamespace).Patch(ctx, p.name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
		return err
	}
	return m, err
}

// deleting deletes the only pod, whose Deployment then makes another.
type deleting struct{ singly }

func (d deleting) move(_ context.Context, _ int, p *podded) (move, error) {
	m := d.replaced(p)
	m.write = func(ctx context.Context) error {
		return d.api.CoreV1().Pods(podNamespace).Delete(ctx, p.pods[0].name, metav1.DeleteOptions{})
	}
	return m, nil
}

// scaling scales the Deployment to two pods and back to one, in turns.
type scaling struct{ singly }

// deletionCost is how a Deployment is told which pod it may do without.
const deletionCost = "controller.kubernetes.io/pod-deletion-cost"

func (s scaling) move(ctx context.Context, _ int, p *podded) (move, error) {
	scale := func(n int) func(context.Context) error {
		patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, n)
		return func(ctx context.Context) error {
			_, err := s.api.AppsV1().Deployments(podNamespace).Patch(ctx, p.name, types.MergePatchType, patch, metav1.PatchOptions{})
			return err
		}
	}
	if len(p.pods) == 1 {
		return move{kind: "scale-up", comes: true, write: scale(2)}, nil
	}
	first := p.pods[0]
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"-1"}}}`, deletionCost)
	_, err := s.api.CoreV1().Pods(podNamespace).Patch(ctx, first.name, types.MergePatchType, patch, metav1.PatchOptions{})
	return move{kind: "scale-down", leave: []seenPod{first}, ends: true, write: scale(1)}, err
}

// flipping makes the only pod not ready and ready again, in turns: by a condition
// of svcbench's own on which its readiness depends, so that it is the kubelet that
// turns it, without waiting for a probe.
type flipping struct{ singly }

// readinessGate is the type of that condition.
const readinessGate = "svcbench.dev/ready"

func (f flipping) pod(port uint16) corev1.PodSpec {
	spec := f.singly.pod(port)
	spec.ReadinessGates = append(spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: readinessGate})
	return spec
}

func (f flipping) furnish(ctx context.Context, pod seenPod) error { return f.turn(ctx, pod, true) }

// turn writes the condition.
func (f flipping) turn(ctx context.Context, pod seenPod, on bool) error {
	status := corev1.ConditionFalse
	if on {
		status = corev1.ConditionTrue
	}
	patch := fmt.Appendf(nil, `{"status":{"conditions":[{"type":%q,"status":%q}]}}`, readinessGate, status)
	_, err := f.api.CoreV1().Pods(podNamespace).Patch(ctx, pod.name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

func (f flipping) move(_ context.Context, _ int, p *podded) (move, error) {
	pod := p.pods[0]
	if pod.ready.on {
		return move{kind: "not-ready", leave: p.pods, write: func(ctx context.Context) error { return f.turn(ctx, pod, false) }}, nil
	}
	return move{kind: "ready", comes: true, back: &pod, write: func(ctx context.Context) error { return f.turn(ctx, pod, true) }}, nil
}

// draining empties a node of all Services' pods, as "kubectl drain" does, and in
// the next change the node to which they went.
type draining struct {
	singly
	here, there string // where the pods are, and the node that takes none
}

// drainedServices is how many Services have their pods on the node.
const drainedServices = 10

func (*draining) services(*scenarios.Churn) int { return drainedServices }

func (*draining) groups(all []*podded) [][]*podded { return [][]*podded{all} }

func (d *draining) prepare(ctx context.Context) error { return d.cordon(ctx, d.there, true) }

func (d *draining) pod(port uint16) corev1.PodSpec { return d.pods.Pod(port, d.here, d.there) }

// begin lets new pods go to the other node only.
func (d *draining) begin(ctx context.Context) error {
	d.here, d.there = d.there, d.here
	return errors.Join(d.cordon(ctx, d.here, false), d.cordon(ctx, d.there, true))
}

// cordon says whether a node takes pods.
func (d *draining) cordon(ctx context.Context, node string, closed bool) error {
	patch := fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, closed)
	_, err := d.api.CoreV1().Nodes().Patch(ctx, node, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	return err
}

func (d *draining) move(_ context.Context, _ int, p *podded) (move, error) {
	m := d.replaced(p)
	m.away = p.pods[0].node
	m.write = func(ctx context.Context) error {
		return d.api.PolicyV1().Evictions(podNamespace).Evict(ctx, &policyv1.Eviction{
			ObjectMeta: metav1.ObjectMeta{Name: p.pods[0].name, Namespace: podNamespace},
		})
	}
	return m, nil
}
