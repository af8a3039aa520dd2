package identity_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"

	"svcbench/internal/agent/identity"
)

func TestEncode(t *testing.T) {
	for _, test := range []struct {
		local string
		want  [identity.Size]byte
		fails bool
	}{
		{"10.244.1.2:8080", [...]byte{10, 244, 1, 2, 0x1f, 0x90}, false},
		{"[::ffff:10.0.0.1]:1", [...]byte{10, 0, 0, 1, 0, 1}, false},
		{"[fd00::1]:8080", [...]byte{0, 0, 0, 0, 0, 0}, true},
	} {
		got, err := identity.Encode(netip.MustParseAddrPort(test.local))
		if (err != nil) != test.fails || got != test.want {
			t.Errorf("Encode(%s) = %v, %v; want %v, failure %v", test.local, got, err, test.want, test.fails)
		}
	}
}

func FuzzDecodeEncode(f *testing.F) {
	f.Add([]byte{10, 244, 1, 2, 0x1f, 0x90})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) != identity.Size {
			return
		}
		got, err := identity.Encode(identity.Decode([identity.Size]byte(in)))
		if err != nil || got != [identity.Size]byte(in) {
			t.Errorf("%v became %v, %v", in, got, err)
		}
	})
}

func TestAskAndAnswer(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for answer := true; ; answer = false {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var question [1]byte
			if _, err := io.ReadFull(c, question[:]); err != nil || question[0] != identity.Question {
				t.Errorf("asked %q, %v", question, err)
			}
			if answer {
				if err := identity.Answer(c); err != nil {
					t.Error(err)
				}
			}
			c.Close()
		}
	}()
	for i, want := range []struct {
		from string
		err  error
	}{{l.Addr().String(), nil}, {"invalid AddrPort", io.EOF}} {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		from, err := identity.Ask(c)
		if from.String() != want.from || !errors.Is(err, want.err) {
			t.Errorf("connection %d: Ask = %v, %v; want %s, %v", i, from, err, want.from, want.err)
		}
	}
}
