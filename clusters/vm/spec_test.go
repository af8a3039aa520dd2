package vm

import (
	"strings"
	"testing"

	"svcbench/internal/failure"
)

func TestParseSpec(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"kernel=debian-6.1,cpus=2", "kernel=debian-6.1,clock=wall,memory=6144M,cpus=2,accel=auto"},
		{"clock=instructions,kernel=debian-6.12", "kernel=debian-6.12,clock=instructions,memory=6144M,cpus=1,accel=tcg,windows=short"},
		{"kernel=debian-6.1,clock=instructions,cpus=1,accel=tcg,memory=3000M", "kernel=debian-6.1,clock=instructions,memory=3000M,cpus=1,accel=tcg,windows=short"},
		{"kernel=debian-6.1,clock=instructions,windows=full", "kernel=debian-6.1,clock=instructions,memory=6144M,cpus=1,accel=tcg,windows=full"},
		{"kernel=debian-6.1,clock=instructions,machines=3", "kernel=debian-6.1,clock=instructions,memory=6144M,cpus=1,accel=tcg,windows=short,machines=3"},
		{"kernel=/boot/vmlinuz,modules=/lib/modules/6.1,cpus=4,memory=8G,accel=kvm", "kernel=/boot/vmlinuz,modules=/lib/modules/6.1,clock=wall,memory=8192M,cpus=4,accel=kvm"},
	} {
		got, err := ParseSpec(c.text)
		if err != nil || got.String() != c.want {
			t.Errorf("%s: %s, %v; want %s", c.text, got, err, c.want)
		}
		if again, err := ParseSpec(got.String()); err != nil || again != got {
			t.Errorf("%s does not read itself: %v, %v", got, again, err)
		}
	}
}

func TestParseSpecRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "is no KEY=VALUE",
		"debian-6.1":                 "is no KEY=VALUE",
		"kernel=":                    "is no KEY=VALUE",
		"clock=wall":                 "it names no kernel",
		"kernel=debian-6.1,":         "is no KEY=VALUE",
		"kernel=debian-5.10":         `kernel cannot be "debian-5.10"`,
		"kernel=vmlinuz":             `kernel cannot be "vmlinuz"`,
		"kernel=/boot/vmlinuz":       "needs modules=/PATH",
		"kernel=debian-6.1,disk=1":   `unknown key "disk"`,
		"kernel=a,kernel=b":          "kernel is there twice",
		"kernel=debian-6.1,clock=x":  `clock cannot be "x"`,
		"kernel=debian-6.1,cpus=0":   "from 1 to 64",
		"kernel=debian-6.1,memory=6": "memory is",
		"kernel=debian-6.1,memory=99999999999999999999G":     "memory is",
		"kernel=debian-6.1,memory=1G":                        "2G or more",
		"kernel=debian-6.1,modules=/lib/modules/x":           "modules is for a kernel given by its path",
		"kernel=debian-6.1,clock=instructions,cpus=2":        "one processor",
		"kernel=debian-6.1,clock=instructions,accel=kvm":     "needs emulation",
		"kernel=debian-6.1,windows=short":                    "are windows shorter",
		"kernel=debian-6.1,machines=2":                       "disturb each other",
		"kernel=debian-6.1,clock=instructions,machines=0":    "machines is",
		"kernel=/boot/vmlinuz,modules=lib":                   "needs modules=/PATH",
		"kernel=debian-6.1,clock=instructions,memory=10000T": "memory is",
	} {
		_, err := ParseSpec(text)
		if failure.CodeOf(err) != failure.Usage || !strings.Contains(err.Error(), want) || !strings.Contains(failure.HintOf(err), "clock=wall|instructions") {
			t.Errorf("%q: %v (%s); want %q", text, err, failure.HintOf(err), want)
		}
	}
}
