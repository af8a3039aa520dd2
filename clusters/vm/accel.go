package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"svcbench/clusters/vm/wire"
)

// kvmPatience is how long a guest may take to boot with KVM: several times
// what it takes where that works.
const kvmPatience = 10 * time.Second

// chooseAccel finds out how the guest is executed. The device of KVM is also
// there on machines where no ordinary kernel boots with it, so that it is
// tried; the answer is kept until the host boots again.
func (m *Machine) chooseAccel(ctx context.Context) (Accel, error) {
	if m.options.Spec.Accel != Auto {
		return m.options.Spec.Accel, nil
	}
	device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return TCG, nil
	}
	_ = device.Close()
	file := m.answerFile()
	if b, err := os.ReadFile(file); err == nil {
		var boots bool
		if json.Unmarshal(b, &boots) == nil {
			return accelIf(boots), nil
		}
	}
	m.options.Notify("try whether the kernel boots with KVM")
	boots, err := m.boots(ctx)
	if err != nil {
		return "", fmt.Errorf("try KVM: %w", err)
	}
	if b, err := json.Marshal(boots); err == nil {
		_ = os.WriteFile(file, b, 0o644) // else it is tried again
	}
	return accelIf(boots), nil
}

func accelIf(kvm bool) Accel {
	if kvm {
		return KVM
	}
	return TCG
}

// answerFile is where the answer is kept for this kernel and this boot of the
// host.
func (m *Machine) answerFile() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		boot = []byte("unknown")
	}
	name := strings.NewReplacer("/", "_").Replace(m.kernel.Image)
	return filepath.Join(m.options.Cache, fmt.Sprintf("kvm-%s-%s", strings.TrimSpace(string(boot)), strings.TrimPrefix(name, "_")))
}

// boots reports whether the kernel boots with KVM as far as to talk.
func (m *Machine) boots(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, kvmPatience, errSlow)
	defer cancel()
	s, err := m.start(ctx, KVM, Job{}, wire.Job{Program: m.options.Program}, "kvm")
	if err != nil {
		return false, err
	}
	defer s.kill()
	select {
	case message, ok := <-s.messages:
		return ok && message.Kind == wire.Booted, nil
	case <-ctx.Done():
		if cause := context.Cause(ctx); !errors.Is(cause, errSlow) {
			return false, cause
		}
		return false, nil
	}
}

var errSlow = errors.New("it does not boot")
