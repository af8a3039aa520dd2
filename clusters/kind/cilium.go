package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svcbench/clusters/crd"
	"svcbench/clusters/modes"
	"svcbench/internal/nodeimage"
)

// Cilium is the cilium-agent that kind clusters run: the component of local
// clusters in an image of our own, as its releases cannot be pulled everywhere.
type Cilium struct {
	// Image is the image with the agent and its compiler.
	Image nodeimage.Image
	// Assets is the folder of the component on this machine.
	Assets string
	// Version is the agent's.
	Version string
}

// launch is what a pod of the agent is told.
type launch struct {
	// Dir is the folder of the agent's files.
	Dir     string
	Path    string
	Program modes.Program
}

// launchVariable holds a launch.
const launchVariable = "SVCBENCH_LAUNCH"

// agentDir is where an agent has its files in its pod, agentKubeconfig the file on
// a node by which it finds the API server.
const (
	agentDir        = "/svcbench"
	agentKubeconfig = "/etc/kubernetes/svcbench.conf"
)

// become replaces this process by the agent.
func (l launch) become() error {
	// Of a variable that is there twice, some programs see the first.
	env := map[string]string{}
	for _, set := range append(os.Environ(), l.Program.Env...) {
		if name, value, ok := strings.Cut(set, "="); ok && name != launchVariable {
			env[name] = value
		}
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, name+"="+env[name])
	}
	if err := unix.Exec(l.Path, append([]string{filepath.Base(l.Path)}, l.Program.Args...), all); err != nil {
		return fmt.Errorf("execute %s: %w", l.Path, err)
	}
	return nil
}

// Launch does in a pod what the launch in the environment asks for: it makes
// files and mounts and then becomes the agent. It returns only with an error.
func Launch() error {
	var l launch
	if err := json.Unmarshal([]byte(os.Getenv(launchVariable)), &l); err != nil {
		return fmt.Errorf("read what to launch: %w", err)
	}
	if err := l.furnish(); err != nil {
		return err
	}
	return l.become()
}

// furnish makes the files and mounts of the program.
func (l launch) furnish() error {
	if err := os.MkdirAll(l.Dir, 0o755); err != nil {
		return err
	}
	for name, text := range l.Program.Files {
		if err := os.WriteFile(filepath.Join(l.Dir, name), text, 0o600); err != nil {
			return err
		}
	}
	for from, name := range l.Program.Copies {
		if err := os.CopyFS(filepath.Join(l.Dir, name), os.DirFS(from)); err != nil {
			return fmt.Errorf("copy %s: %w", from, err)
		}
	}
	// A cgroup in which nobody is, below that of the pod.
	hierarchy := modes.Mount{Type: "cgroup2", Source: "cgroup2", Target: agentHierarchy}
	if err := hierarchy.Make(); err != nil {
		return fmt.Errorf("mount %s: %w", hierarchy.Target, err)
	}
	if err := os.Mkdir(agentCgroup, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, m := range l.Program.Mounts {
		if err := m.Make(); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	return nil
}

// The cgroup of the agent in its pod.
const (
	agentHierarchy = "/svcbench-cgroup2"
	agentCgroup    = agentHierarchy + "/empty"
)

// makeCilium writes the agent's configuration, that of local clusters.
func (c *cluster) makeCilium(ctx context.Context) (err error) {
	c.proxy.program, err = c.mode.Program(ctx, c.home(), modes.Settings{
		Kubeconfig: agentKubeconfig, Node: c.home().name, Pods: clusterRange,
		ClientLink: c.network.ClientLink, BackendLink: c.network.BackendLink,
		Dir: agentDir, Assets: nodeimage.CiliumAssets, Cgroup: agentCgroup, Clang: nodeimage.CiliumClang,
		Size: c.config.Size, Settings: c.config.Settings,
	})
	if err != nil {
		return err
	}
	var files []string
	for _, file := range c.proxy.program.Definitions {
		rel, err := filepath.Rel(nodeimage.CiliumAssets, file)
		if err != nil {
			return err
		}
		files = append(files, filepath.Join(c.cilium.Assets, rel))
	}
	if _, err := crd.Establish(ctx, c.api.Discovery().RESTClient(), files); err != nil {
		return err
	}
	inside, err := c.kind.KubeConfig(c.name, true)
	if err != nil {
		return err
	}
	if _, err := c.home().Run(ctx, []byte(inside), "dd", "status=none", "of="+agentKubeconfig); err != nil {
		return err
	}
	return c.loadInto(ctx, c.home().name, c.cilium.Image.Path)
}

// startCilium runs the agent at the client's node. The others forward packets to
// pods and see none for a Service.
func (p *proxy) startCilium(ctx context.Context) error {
	c := p.cluster
	told, err := json.Marshal(launch{Dir: agentDir, Path: nodeimage.CiliumAgent, Program: p.program})
	if err != nil {
		return err
	}
	_, err = c.api.CoreV1().Pods(namespace).Create(ctx, ciliumPod(c.home().name, c.cilium.Image.Ref, string(told)), metav1.CreateOptions{})
	return err
}

// stopCilium ends the agent, and returns when its pod is gone, so that it can be
// started again; what it programmed stays.
func (p *proxy) stopCilium(ctx context.Context) error {
	pods := p.cluster.api.CoreV1().Pods(namespace)
	if err := pods.Delete(ctx, ciliumName, metav1.DeleteOptions{}); err != nil {
		return err
	}
	return poll(ctx, "the pod of cilium-agent to be gone", func(ctx context.Context) (bool, error) {
		_, err := pods.Get(ctx, ciliumName, metav1.GetOptions{})
		return apierrors.IsNotFound(err), err
	})
}

// ciliumName is the name of the agent's pod.
const ciliumName = "cilium"

// ciliumPod is the agent's pod: privileged and in the node's network, as Cilium's
// own is.
func ciliumPod(node, image, told string) *corev1.Pod {
	yes, file, grace := true, corev1.HostPathFile, int64(1)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: ciliumName, Labels: map[string]string{"app": ciliumName}},
		Spec: corev1.PodSpec{
			NodeName: node, HostNetwork: true, RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: &grace,
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			Containers: []corev1.Container{{
				Name: "agent", Image: image, ImagePullPolicy: corev1.PullNever, Command: []string{"/svcbench-host", "launch"},
				Resources:       requested(proxyShare),
				Env:             []corev1.EnvVar{{Name: launchVariable, Value: told}},
				SecurityContext: &corev1.SecurityContext{Privileged: &yes},
				VolumeMounts: []corev1.VolumeMount{
					{Name: "kubeconfig", MountPath: agentKubeconfig, ReadOnly: true},
					{Name: "svcbench", MountPath: "/svcbench-host", ReadOnly: true},
				},
			}},
			Volumes: []corev1.Volume{
				{Name: "kubeconfig", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: agentKubeconfig, Type: &file}}},
				{Name: "svcbench", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: agentPath, Type: &file}}},
			},
		},
	}
}

// ciliumNode is the client's node with the files that the agent sees.
type ciliumNode struct {
	node
	root string // of the agent's container, on this machine
}

// Path is where this process finds a file of the agent.
func (n ciliumNode) Path(name string) string { return filepath.Join(n.root, agentDir, name) }
