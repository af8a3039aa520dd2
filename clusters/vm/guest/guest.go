// Package guest is the inside of a virtual machine: the first process, which
// makes the host's files its root, runs the job it was given and powers off.
package guest

import (
	"encoding/json"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/clusters/vm/wire"
)

// Run does the job of the initramfs. It must be the first process, and powers
// the machine off; it returns only when even that fails.
func Run() error {
	g := &guest{}
	err := g.run()
	if err != nil {
		g.fail(err)
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	select {} // the machine ends before this does
}

// guest is the state of the first process.
type guest struct {
	job     wire.Job
	port    *os.File
	host    *wire.Conn
	child   atomic.Int64 // the process id of the job's process, 0 before
	stopped atomic.Bool
}

// fail says why the job cannot be done, to the host and to the console.
func (g *guest) fail(err error) {
	fmt.Fprintln(os.Stderr, "svcbench in the VM:", err)
	if g.host != nil {
		_ = g.host.Send(wire.Message{Kind: wire.Failed, Text: err.Error()}) // the console has it too
	}
}

// run does everything but powering off.
func (g *guest) run() error {
	if err := mountKernel(); err != nil {
		return err
	}
	b, err := os.ReadFile(wire.JobFile)
	if err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	if err := json.Unmarshal(b, &g.job); err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	if err := loadModules(g.job.Modules); err != nil {
		return err
	}
	if g.port, err = openPort(); err != nil {
		return err
	}
	g.host = wire.NewConn(g.port)
	if len(g.job.Args) == 0 { // it was only to be seen whether it boots
		return g.send(wire.Message{Kind: wire.Booted})
	}
	if err := enterRoot(g.job); err != nil {
		return err
	}
	if err := g.send(wire.Message{Kind: wire.Booted}); err != nil {
		return err
	}
	go g.beat()
	go g.listen()
	preload(g.job.Preload)
	code, err := g.execute()
	if err != nil {
		return err
	}
	unix.Sync() // the share must be whole when the host reads of the end
	return g.send(wire.Message{Kind: wire.Ended, Code: code})
}

// send sends a message with the time since boot.
func (g *guest) send(m wire.Message) error {
	m.Uptime = uptime()
	return g.host.Send(m)
}

// beat says at intervals that the guest lives.
func (g *guest) beat() {
	for range time.Tick(g.job.Beat) {
		if g.send(wire.Message{Kind: wire.Beat}) != nil {
			return
		}
	}
}

// listen ends the job's process when the host asks for it.
func (g *guest) listen() {
	for {
		m, err := g.host.Receive()
		if err != nil {
			return // the host is gone, and ends the machine
		}
		if m.Kind != wire.Stop {
			continue
		}
		g.stopped.Store(true)
		if pid := int(g.child.Load()); pid != 0 {
			_ = unix.Kill(pid, unix.SIGINT) // it may have ended
		}
	}
}

func uptime() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) // exists since Linux 2.6.39
	return time.Duration(ts.Nano())
}
