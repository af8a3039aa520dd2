package runners

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"svcbench/clusters"
	"svcbench/internal/agent/verify"
	"svcbench/runners/population"
)

const (
	// podNamespace is where pods of churn are: where the population is.
	podNamespace = population.Namespace
	// poddedLabel marks Services with real pods and what belongs to them; its
	// value is the name of the Service.
	poddedLabel = "svcbench.dev/podded"
	// podPatience is how long pods may take to come or go.
	podPatience = 2 * time.Minute
	// podPort is the port of their Services.
	podPort = 80
)

// podded is a Service with real pods, by a Deployment of the same name.
type podded struct {
	name string
	addr netip.AddrPort
	pods []seenPod // those that are ready, or were until a change made them not
}

// deploy makes n Services with a pod each, and returns when the proxy leads to
// them.
func (c *podChanger) deploy(ctx context.Context, n int) ([]*podded, error) {
	if err := c.kind.prepare(ctx); err != nil {
		return nil, err
	}
	all := make([]*podded, n)
	g, making := errgroup.WithContext(ctx)
	for i := range all {
		g.Go(func() (err error) {
			all[i], err = c.deployOne(making, fmt.Sprintf("podded-%d", i))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	spec := verify.Spec{Timeout: podPatience, Protocol: c.f.protocol()}
	for _, one := range all {
		spec.Targets = append(spec.Targets, verify.Target{ID: one.name, Addr: one.addr, Want: addresses(one.pods)})
	}
	result, err := verify.Run(ctx, c.f.cluster.Place(clusters.AtClient), spec)
	if err != nil {
		return nil, err
	}
	if !result.Converged() {
		return nil, errors.New(result.Reason())
	}
	return all, nil
}

// deployOne makes a Service with its Deployment and waits for the pod.
func (c *podChanger) deployOne(ctx context.Context, name string) (*podded, error) {
	labels := map[string]string{poddedLabel: name}
	port := int(population.Targets(1)[0])
	api := c.f.cluster.API()
	service, err := api.CoreV1().Services(podNamespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{
			Port: podPort, TargetPort: intstr.FromInt(port), Protocol: corev1.Protocol(c.f.protocol()),
		}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	addr, err := netip.ParseAddr(service.Spec.ClusterIP)
	if err != nil {
		return nil, err
	}
	p := &podded{name: name, addr: netip.AddrPortFrom(addr, podPort)}
	one, none, replicas := intstr.FromInt32(1), intstr.FromInt32(0), int32(1)
	_, err = api.AppsV1().Deployments(podNamespace).Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &one, MaxUnavailable: &none},
			},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: c.kind.pod(uint16(port))},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	pod, err := c.track.running(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := c.kind.furnish(ctx, pod); err != nil {
		return nil, err
	}
	pod, err = c.track.fresh(ctx, name, nil)
	p.pods = []seenPod{pod}
	return p, err
}
