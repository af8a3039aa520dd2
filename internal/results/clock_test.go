package results

import "testing"

func TestClock(t *testing.T) {
	for _, test := range []struct {
		facts map[string]string
		want  Clock
	}{
		{nil, WallClock},
		{map[string]string{FactVM: "debian-6.1", FactClock: "wall"}, WallClock},
		{map[string]string{FactVM: "debian-6.1", FactClock: "instructions"}, InstructionClock},
	} {
		if got := (Environment{Facts: test.facts}).Clock(); got != test.want {
			t.Errorf("%v: %q, want %q", test.facts, got, test.want)
		}
	}
}
