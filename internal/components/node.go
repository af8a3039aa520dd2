package components

// Base has the files that kind puts into its base image.
const Base = "base"

// pinnedNode are the parts of Kubernetes that only a real node has. It is
// another nested module than that of local clusters, with the same version, so
// that those who need no nodes fetch and build none of it.
func pinnedNode() module {
	m := pinnedModule("node", "k8s.io/kubernetes")
	m.use = NodeImage
	m.ldflags = append(m.ldflags, kubernetesVersion(m.version)...)
	asks := map[string][]string{
		"kubeadm": {"version", "--output=short"},
		"kubectl": {"version", "--client"},
	}
	for _, name := range []string{"kubeadm", "kubelet", "kubectl", "kube-controller-manager", "kube-scheduler"} {
		m.programs = append(m.programs, program{name: name, pkg: m.path + "/cmd/" + name, ask: asks[name]})
	}
	return m
}

// pinnedContainerd is the container runtime, in the version that kind's base
// image has and built as that is.
func pinnedContainerd() module {
	m := pinnedModule("containerd", "github.com/containerd/containerd/v2")
	m.use = NodeImage
	m.tags = []string{"no_aufs", "no_zfs", "no_btrfs", "no_devmapper"}
	m.ldflags = append(m.ldflags, "-X "+m.path+"/version.Version="+m.version)
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		m.programs = append(m.programs, program{name: name, pkg: m.path + "/cmd/" + name})
	}
	m.programs[1].ask = []string{"-v"}
	return m
}

// pinnedKind is kind itself, for its files.
func pinnedKind() module {
	m := pinnedModule("kind", "sigs.k8s.io/kind")
	m.use = NodeImage
	m.programs = []program{{name: "kind", pkg: m.path}}
	m.assets = []asset{{From: "images/base/files", To: Base}}
	return m
}
