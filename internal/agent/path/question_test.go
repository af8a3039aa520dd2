package path

import (
	"net"
	"strings"
	"testing"

	"svcbench/internal/agent/datagram"
	"svcbench/internal/agent/identity"
)

// TestQuestionsThroughANode does the same with UDP.
func TestQuestionsThroughANode(t *testing.T) {
	for _, way := range ways(t) {
		t.Run(way.name, func(t *testing.T) {
			n := newNetwork(t, strings.ReplaceAll(masquerade, "tcp dport", "udp dport"))
			p := n.attach(t, way)
			const questions = 100
			n.ask(t, vip, questions)
			expect(t, p, vip, questions)
			n.ask(t, backend, 3) // straight to the pod
			expect(t, p, backend, 3)
		})
	}
}

// ask sends questions from the client, each from a socket of its own. Nobody is
// there to answer.
func (n *network) ask(t *testing.T, to string, count int) {
	t.Helper()
	cookies := datagram.NewCookies()
	n.client.Must(func() error {
		for range count {
			c, err := net.Dial("udp4", to)
			if err != nil {
				return err
			}
			question := identity.Query(cookies.Next())
			if _, err := c.Write(question[:]); err != nil {
				return err
			}
			c.Close()
		}
		return nil
	})
}
