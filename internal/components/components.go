// Package components finds or builds the real programs that clusters are made
// of: etcd, Kubernetes and Cilium's agent, and containerd for kind's nodes. They
// are built from the Go module proxy at pinned versions, once per version, into a
// folder of the user, and shared by all runs.
package components

import (
	"embed"
	"path"
	"regexp"
	"strings"
)

// The nested modules of the folder components/ pin every dependency. A
// package cannot embed files of another module, so it holds copies;
// TestPins checks that they are up to date.

//go:generate cp ../../components/cilium/go.mod pins/cilium.mod
//go:generate cp ../../components/cilium/go.sum pins/cilium.sum
//go:generate cp ../../components/containerd/go.mod pins/containerd.mod
//go:generate cp ../../components/containerd/go.sum pins/containerd.sum
//go:generate cp ../../components/etcd/go.mod pins/etcd.mod
//go:generate cp ../../components/etcd/go.sum pins/etcd.sum
//go:generate cp ../../components/kind/go.mod pins/kind.mod
//go:generate cp ../../components/kind/go.sum pins/kind.sum
//go:generate cp ../../components/kubernetes/go.mod pins/kubernetes.mod
//go:generate cp ../../components/kubernetes/go.sum pins/kubernetes.sum
//go:generate cp ../../components/node/go.mod pins/node.mod
//go:generate cp ../../components/node/go.sum pins/node.sum

//go:embed pins
var pins embed.FS

// Component is a program at a pinned version, or files of a module's source.
type Component struct {
	// Name is the name of the program, such as "kube-proxy", or of the files.
	Name string `json:"name"`
	// Version is the pinned version, such as "v1.37.2".
	Version string `json:"version"`
	// Module is the Go module it comes from.
	Module string `json:"module"`
	// Package is the import path of its main package; empty for files.
	Package string `json:"package,omitempty"`
	// Assets are the names of the folders beside the program that it needs
	// when it runs, such as BPF, or of those that the files are in.
	Assets []string `json:"assets,omitempty"`
	// For says which clusters are made of it.
	For Use `json:"for"`

	ask []string // see program
}

// VersionOf is the version of a component; empty if there is none of that name.
func VersionOf(name string) string {
	for _, c := range All() {
		if c.Name == name {
			return c.Version
		}
	}
	return ""
}

// Use is what a component is for.
type Use string

// The uses.
const (
	// Local clusters are made of it; the images of kind's nodes too, of some.
	Local Use = "local"
	// NodeImage means that only the images of kind's nodes are.
	NodeImage Use = "node image"
	// Kind means that kind clusters are, whatever their images.
	Kind Use = "kind"
)

// All lists the components, those of local clusters first, in the order in which
// a cluster starts them.
func All() []Component {
	var all []Component
	for _, m := range pinned() {
		all = append(all, m.components()...)
	}
	return all
}

// module is a Go module some of whose programs are components, with the
// go.mod and go.sum of the nested module that pins it. One without programs is a
// component of its own: its assets.
type module struct {
	name     string
	pins     string // the name of the nested module
	path     string
	version  string
	mod, sum []byte
	ldflags  []string
	tags     []string
	programs []program
	assets   []asset // what all of its programs need when they run
	use      Use
}

type program struct {
	name string
	pkg  string
	// ask are the arguments with which it prints its version; nil means
	// --version.
	ask []string
}

// pinned returns the modules that components are built from.
func pinned() []module {
	etcd := pinnedModule("etcd", "go.etcd.io/etcd/server/v3")
	etcd.programs = []program{{name: "etcd", pkg: etcd.path}} // its version is in its source

	kubernetes := pinnedModule("kubernetes", "k8s.io/kubernetes")
	kubernetes.ldflags = append(kubernetes.ldflags, kubernetesVersion(kubernetes.version)...)
	for _, name := range []string{"kube-apiserver", "kube-proxy"} {
		kubernetes.programs = append(kubernetes.programs, program{name: name, pkg: kubernetes.path + "/cmd/" + name})
	}
	return []module{etcd, kubernetes, pinnedCilium(), pinnedChart(), pinnedNode(), pinnedContainerd(), pinnedKind()}
}

// pinnedCilium is Cilium's agent, whose main package is called daemon, with
// the sources of its data path.
func pinnedCilium() module {
	m := pinnedModule("cilium", "github.com/cilium/cilium")
	m.ldflags = append(m.ldflags, ciliumVersion(m.version))
	m.programs = []program{{name: "cilium-agent", pkg: m.path + "/daemon"}}
	m.assets = []asset{
		// Cilium's own installation leaves out the same.
		{From: "bpf", To: BPF, LeaveOut: []string{"tests", "complexity-tests"}},
		{From: ciliumTypes, To: CRDs, LeaveOut: []string{"*/*.go"}},
	}
	return m
}

// pinnedChart is the Helm chart of Cilium. It is not among the assets of the
// agent, so that those who can pull an image of that need not build one.
func pinnedChart() module {
	m := pinnedModule("cilium", "github.com/cilium/cilium")
	m.name, m.use = CiliumChart, Kind
	m.assets = []asset{
		{From: "install/kubernetes/cilium", To: Chart},
		{From: ciliumTypes, To: CRDs, LeaveOut: []string{"*/*.go"}},
		{From: "images/cilium", To: ImageFiles, LeaveOut: []string{"Dockerfile"}},
	}
	return m
}

// CiliumChart is the name of a component: the Helm chart of Cilium, and the files
// with which Cilium's own build furnishes its image.
const CiliumChart = "cilium-chart"

// ciliumTypes is where Cilium defines its API types.
const ciliumTypes = "pkg/k8s/apis/cilium.io/client/crds"

// ciliumVersion returns the linker flag by which Cilium's Makefile puts the
// version into its programs: the version, the commit and its date. The last
// two are not in a module; the tag names the commit as well.
func ciliumVersion(version string) string {
	return "-X 'github.com/cilium/cilium/pkg/version.ciliumVersion=" +
		strings.TrimPrefix(version, "v") + " " + version + " unknown'"
}

// pinnedModule reads the copies that go generate made. Files that are
// missing would fail the tests of this package, not a user.
func pinnedModule(name, modulePath string) module {
	mod, _ := pins.ReadFile("pins/" + name + ".mod")
	sum, _ := pins.ReadFile("pins/" + name + ".sum")
	return module{
		name:    name,
		pins:    name,
		path:    modulePath,
		version: requiredVersion(mod, modulePath),
		mod:     mod,
		sum:     sum,
		ldflags: []string{"-s", "-w"}, // no debug information: half the size
		use:     Local,
	}
}

// kubernetesVersion returns the linker flags by which Kubernetes' own
// release builds put their version into a program.
func kubernetesVersion(version string) []string {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	var flags []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags,
			"-X "+pkg+".gitVersion="+version,
			"-X "+pkg+".gitMajor="+major,
			"-X "+pkg+".gitMinor="+minor,
			"-X "+pkg+".gitTreeState=clean",
		)
	}
	return flags
}

// requiredVersion returns the version at which a go.mod requires a module,
// or the empty string.
func requiredVersion(mod []byte, modulePath string) string {
	for line := range strings.Lines(string(mod)) {
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(words) >= 2 && words[0] == modulePath && strings.HasPrefix(words[1], "v") {
			return words[1]
		}
	}
	return ""
}

// folder is the name of the folder that holds the module's programs.
func (m module) folder() string { return m.name + "-" + m.version }

// String is what messages call the module.
func (m module) String() string { return m.name + " " + m.version }

func (m module) components() []Component {
	var assets []string
	for _, a := range m.assets {
		assets = append(assets, a.To)
	}
	if len(m.programs) == 0 {
		return []Component{{Name: m.name, Version: m.version, Module: m.path, Assets: assets, For: m.use}}
	}
	var all []Component
	for _, p := range m.programs {
		all = append(all, Component{Name: p.name, Version: m.version, Module: m.path, Package: p.pkg, Assets: assets, For: m.use, ask: p.ask})
	}
	return all
}

// place is the name of what a component of the module is, in the module's folder:
// the program, or the first of its folders.
func (m module) place(c Component) string {
	if c.Package == "" {
		return m.assets[0].To
	}
	return c.Name
}

func (m module) packages() []string {
	var all []string
	for _, p := range m.programs {
		all = append(all, p.pkg)
	}
	return all
}

// output is the name go build gives to a program: the last element of its
// import path that is not a major version.
func (p program) output() string {
	last := path.Base(p.pkg)
	if regexp.MustCompile(`^v[0-9]+$`).MatchString(last) {
		last = path.Base(path.Dir(p.pkg))
	}
	return last
}
