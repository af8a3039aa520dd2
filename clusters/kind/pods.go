package kind

import (
	"context"
	"net/netip"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"svcbench/clusters"
	"svcbench/scenarios"
)

// namespace holds the pods of svcbench.
const namespace = "svcbench"

// pod is a pod in which agents run.
type pod struct {
	name, node string
	ip         netip.Addr
}

// startPods starts the client and the backend, each on a node of its own where
// there are two, and waits until they have an address.
func (c *cluster) startPods(ctx context.Context) error {
	_, err := c.api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	for at, p := range c.pods {
		// There can be none before the namespace has its service account.
		err := poll(ctx, "pod "+p.name+" to be accepted", func(ctx context.Context) (bool, error) {
			_, err := c.api.CoreV1().Pods(namespace).Create(ctx, c.specOf(at, p), metav1.CreateOptions{})
			return err == nil || apierrors.IsAlreadyExists(err), err
		})
		if err != nil {
			return err
		}
	}
	for at, p := range c.pods {
		err := poll(ctx, "pod "+p.name, func(ctx context.Context) (bool, error) {
			found, err := c.api.CoreV1().Pods(namespace).Get(ctx, p.name, metav1.GetOptions{})
			if err != nil || found.Status.Phase != corev1.PodRunning {
				return false, err
			}
			p.ip, err = netip.ParseAddr(found.Status.PodIP)
			return err == nil, err
		})
		if err != nil {
			return err
		}
		c.pods[at] = p
	}
	return nil
}

// placePods says on which nodes the pods are: on two, if there are two and nothing
// else is asked for. The proxy under test is that of the
// client's node.
func (c *cluster) placePods() {
	names := c.nodeNames()
	client, backend := names[min(1, c.workers)], names[0]
	if c.workers > 1 {
		backend = names[2]
	}
	if c.config.Placement == scenarios.SameNode {
		backend = client
	}
	c.pods = map[clusters.At]pod{
		clusters.AtClient:  {name: "client", node: client},
		clusters.AtBackend: {name: "backend", node: backend},
	}
}

var _ clusters.Podded = (*cluster)(nil)

// PodNodes are the node of the backends and all others but that of the client, the
// control plane's last: it has more to do than to run pods.
func (c *cluster) PodNodes() []string {
	nodes := []string{c.pods[clusters.AtBackend].node}
	names := c.nodeNames()
	for _, name := range append(names[1:], names[0]) {
		if name != nodes[0] && name != c.home().name {
			nodes = append(nodes, name)
		}
	}
	return nodes
}

// nodeNames are the names that kind gives to nodes, that of the control plane
// first.
func (c *cluster) nodeNames() []string {
	names := []string{c.control().name}
	for i := range c.workers {
		name := c.name + "-worker"
		if i > 0 {
			name += strconv.Itoa(i + 1)
		}
		names = append(names, name)
	}
	return names
}

// Pod is a pod that answers by itself. As pods should, it goes on answering for a
// moment after it is told to end: until proxies have heard of it.
func (c *cluster) Pod(port uint16, nodes ...string) corev1.PodSpec {
	grace, token := int64(5), false
	where := corev1.NodeSelectorRequirement{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: nodes}
	return corev1.PodSpec{
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{where}}},
		}}},
		Tolerations:                   []corev1.Toleration{{Key: "node-role.kubernetes.io/control-plane", Operator: corev1.TolerationOpExists}},
		TerminationGracePeriodSeconds: &grace, AutomountServiceAccountToken: &token,
		Containers: []corev1.Container{{
			Name: "backend", Image: c.agents.Ref, ImagePullPolicy: corev1.PullNever, Resources: requested("50m"),
			Command:        []string{agentPath, "agent-pod", "--serve", strconv.Itoa(int(port))},
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt(int(port))}}, PeriodSeconds: 1},
			Lifecycle:      &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 2}}},
		}},
	}
}

// requested is a share of the processors: without one, pods would get next to
// nothing while the control plane is busy.
func requested(cpu string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}
}

// specOf is the pod at a place. It does nothing by itself: agents are started in
// it as they are needed.
func (c *cluster) specOf(at clusters.At, p pod) *corev1.Pod {
	grace, token := int64(0), false
	command := []string{agentPath, "agent-pod"}
	if at == clusters.AtBackend {
		command = append(command, "--answer", podRange.String(), "--swallow", serviceRange.String())
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: p.name, Labels: map[string]string{"app": "svcbench", "place": string(at)}},
		Spec: corev1.PodSpec{
			NodeName: p.node, RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: &grace,
			AutomountServiceAccountToken: &token,
			Tolerations:                  []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			Containers: []corev1.Container{{
				Name: "agents", Image: c.agents.Ref, ImagePullPolicy: corev1.PullNever, Command: command, Resources: requested("500m"),
				SecurityContext: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN"}}},
			}},
		},
	}
}
