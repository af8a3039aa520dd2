package identity_test

import (
	"net/netip"
	"testing"

	"svcbench/internal/agent/identity"
)

func TestDatagrams(t *testing.T) {
	const cookie = 0x0123456789abcdef
	pod := netip.MustParseAddrPort("10.244.3.4:8080")
	question := identity.Query(cookie)
	if question[0] != identity.Question {
		t.Errorf("the question begins with %q", question[0])
	}
	answer, ok := identity.AppendReply(nil, question[:], pod)
	if !ok || len(answer) != identity.DatagramAnswerSize {
		t.Fatalf("answer of %d bytes, %v", len(answer), ok)
	}
	if from, ok := identity.Reply(answer, cookie); !ok || from != pod {
		t.Errorf("answered by %v, %v", from, ok)
	}
	if _, ok := identity.Reply(answer, cookie+1); ok {
		t.Error("the answer to another question was taken")
	}
	if _, ok := identity.Reply(answer[:len(answer)-1], cookie); ok {
		t.Error("a short answer was taken")
	}
	for _, b := range [][]byte{nil, {'I'}, question[:15], append(question[:], 0), []byte("0123456789abcdef")} {
		if _, ok := identity.AppendReply(nil, b, pod); ok {
			t.Errorf("%q was taken for a question", b)
		}
	}
	if _, ok := identity.AppendReply(nil, question[:], netip.MustParseAddrPort("[::1]:80")); ok {
		t.Error("an IPv6 address was told")
	}
}
