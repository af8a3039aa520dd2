package local

import (
	"os"
	"strings"
	"testing"

	"svcbench/internal/netns"
)

// The node forwards and nobody else does, whatever the machine itself does.
func TestForwarding(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	o, err := newOwner(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer o.release()
	n, err := newNetwork(o.prefix, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.close(); err != nil {
			t.Error(err)
		}
	}()
	for _, test := range []struct {
		ns   *netns.Namespace
		want string
	}{{n.node, "1"}, {n.client, "0"}, {n.backend, "0"}, {n.control, "0"}} {
		var got []byte
		err := test.ns.Do(func() (err error) {
			got, err = os.ReadFile("/proc/sys/net/ipv4/ip_forward")
			return err
		})
		if err != nil || strings.TrimSpace(string(got)) != test.want {
			t.Errorf("%s forwards: %q, %v, want %s", test.ns.Name(), got, err, test.want)
		}
	}
}
