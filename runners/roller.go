package runners

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/agent/verify"
	"svcbench/internal/agent/watch"
	"svcbench/internal/results"
	"svcbench/runners/population"
)

const (
	// typicalRollout is how long a Service is busy with one: its new pod has to
	// become ready, and its old one to go. No Service is rolled twice at a time,
	// so that there must be as many as are busy at once, and leastRolled at least.
	typicalRollout = 15 * time.Second
	leastRolled    = 6
	// rolledLabel marks them and what belongs to them; its value is the name.
	rolledLabel = "svcbench.dev/rolled"
	// rolloutPatience is how long pods may take to come or go.
	rolloutPatience = 2 * time.Minute
)

// roller replaces pods on a schedule: each change is a rolling update of a
// Deployment with one pod, behind a Service of its own.
type roller struct {
	f       *inFlight
	pods    clusters.Podded
	watcher *watch.Watcher
	track   *tracker
	due     []time.Duration
	idle    chan *rolled // those that may be rolled

	mu   sync.Mutex
	made []results.Change
}

// rolled is a Service with its pod.
type rolled struct {
	name string
	addr netip.AddrPort
	pod  seenPod
}

// newRoller makes the Services and their pods, and returns when the proxy leads
// to them.
func newRoller(ctx context.Context, f *inFlight, w *watch.Watcher) (*roller, error) {
	pods, ok := f.cluster.(clusters.Podded)
	if !ok {
		return nil, errors.New("this cluster runs no pods")
	}
	churn := f.trial.scenario.Churn
	all := make([]*rolled, max(leastRolled, int(math.Ceil(churn.Rate*typicalRollout.Seconds()))))
	r := &roller{f: f, pods: pods, watcher: w, due: dues(churn, f.random("changes")), idle: make(chan *rolled, len(all))}
	var err error
	if r.track, err = newTracker(ctx, f.cluster.API(), population.Namespace); err != nil {
		return nil, err
	}
	g, making := errgroup.WithContext(ctx)
	for i := range all {
		g.Go(func() (err error) {
			all[i], err = r.deploy(making, fmt.Sprintf("rolled-%d", i))
			return err
		})
	}
	err = g.Wait()
	if err == nil {
		err = r.converge(ctx, all)
	}
	if err != nil {
		r.track.close()
		return nil, err
	}
	for _, one := range all {
		r.idle <- one
	}
	return r, nil
}

// converge waits until every Service leads to its pod.
func (r *roller) converge(ctx context.Context, all []*rolled) error {
	spec := verify.Spec{Timeout: rolloutPatience, Protocol: r.f.protocol()}
	for _, one := range all {
		spec.Targets = append(spec.Targets, verify.Target{ID: one.name, Addr: one.addr, Want: []netip.Addr{one.pod.ip}})
	}
	result, err := verify.Run(ctx, r.f.cluster.Place(clusters.AtClient), spec)
	if err != nil {
		return err
	}
	if !result.Converged() {
		return errors.New(result.Reason())
	}
	return nil
}

// deploy makes a Service with its Deployment and waits for the pod.
func (r *roller) deploy(ctx context.Context, name string) (*rolled, error) {
	target := int(population.Targets(1)[0])
	labels := map[string]string{rolledLabel: name}
	api := r.f.cluster.API()
	service, err := api.CoreV1().Services(population.Namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{
			Port: 80, TargetPort: intstr.FromInt(target), Protocol: corev1.Protocol(r.f.protocol()),
		}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	one, none, replicas := intstr.FromInt32(1), intstr.FromInt32(0), int32(1)
	_, err = api.AppsV1().Deployments(population.Namespace).Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &one, MaxUnavailable: &none},
			},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: r.pods.Pod(uint16(target))},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	addr, err := netip.ParseAddr(service.Spec.ClusterIP)
	if err != nil {
		return nil, err
	}
	pod, err := r.track.ready(ctx, name, seenPod{})
	return &rolled{name: name, addr: netip.AddrPortFrom(addr, 80), pod: pod}, err
}

var _ changer = (*roller)(nil)

// run makes all changes. One for which every Service is busy is late.
func (r *roller) run(ctx context.Context, begin int64) error {
	return onSchedule(ctx, begin, r.due, r.idle, r.change)
}

func (r *roller) changes() []results.Change { return r.made }

// close ends the watches; what was deployed goes with the cluster.
func (r *roller) close() { r.track.close() }

// change rolls one Service at the time due.
func (r *roller) change(ctx context.Context, n int, one *rolled, due int64) error {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	seen, err := r.watcher.Watch(watching, watch.Command{
		ID: n, Addr: one.addr, Old: []netip.Addr{one.pod.ip}, AnyNew: true, Protocol: r.f.protocol(),
		Interval: r.f.probeInterval, Timeout: preRoll + r.f.trial.scenario.Churn.Timeout.Std(),
	})
	if err != nil {
		return err
	}
	if err := waitUntil(ctx, due); err != nil {
		return err
	}
	change := results.Change{ID: n + 1, Kind: string(r.f.trial.scenario.Churn.Kind), Service: one.name, Due: due}
	if err := r.write(ctx, &change, one); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case s, ok := <-seen:
		if !ok {
			return fmt.Errorf("watch rollout %d: %w", change.ID, silence(ctx, r.watcher))
		}
		observe(&change, s)
	}
	fresh, err := r.track.ready(ctx, one.name, one.pod)
	if err != nil {
		return fmt.Errorf("rollout %d: %w", change.ID, err)
	}
	change.Ready, change.Sliced = fresh.ready, fresh.sliced
	if err := r.track.gone(ctx, one.pod); err != nil {
		return fmt.Errorf("rollout %d: %w", change.ID, err)
	}
	one.pod = fresh
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = append(r.made, change)
	r.idle <- one // has room for all
	return nil
}

// write changes the template of the Deployment, as "kubectl rollout restart" does.
// Without it there is nothing to measure: that it fails is an error of the trial.
func (r *roller) write(ctx context.Context, change *results.Change, one *rolled) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{"svcbench.dev/rollout": strconv.Itoa(change.ID)},
	}}}})
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	change.Sent = agent.Now()
	_, err = r.f.cluster.API().AppsV1().Deployments(population.Namespace).Patch(limited, one.name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	change.Acked = agent.Now()
	if err != nil {
		return fmt.Errorf("begin rollout %d: %w", change.ID, err)
	}
	return nil
}
