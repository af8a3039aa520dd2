// Package wire is what the host and a guest say to each other: a job, which
// the initramfs holds, and messages over a virtio serial port, one JSON object
// a line.
package wire

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// The names both sides know.
const (
	// Port is the name of the virtio serial port.
	Port = "svcbench"
	// RootTag and ShareTag are the mount tags of the host's root and of the
	// folder shared for results.
	RootTag, ShareTag = "svcbench-root", "svcbench-share"
	// JobFile and ProgramFile are in the initramfs.
	JobFile, ProgramFile = "/job.json", "/svcbench"
	// ModuleFolder in the initramfs holds the modules of Job.Modules.
	ModuleFolder = "/modules"
	// GuestFolder is a folder in the guest's memory. It is not below /run,
	// of which Cilium's agent gets its own.
	GuestFolder = "/svcbench-vm"
	// ShareFolder is where the guest has the shared folder.
	ShareFolder = GuestFolder + "/share"
	// TempFolder is the guest's folder for temporary files.
	TempFolder = GuestFolder + "/tmp"
)

// Job is what a guest does between booting and powering off.
type Job struct {
	// Program is the path at which the host has the program of the
	// initramfs; the guest runs it under the same path.
	Program string `json:"program"`
	// Args, Env and Dir are those of the process; without Args the guest
	// powers off as soon as it has booted.
	Args []string `json:"args,omitempty"`
	Env  []string `json:"env,omitempty"`
	Dir  string   `json:"dir,omitempty"`
	// Share says that there is a folder shared for results.
	Share bool `json:"share,omitempty"`
	// Modules are the files in ModuleFolder, in the order of loading.
	Modules []string `json:"modules,omitempty"`
	// Kernel is the host's folder that is the guest's /lib/modules/RELEASE.
	Kernel string `json:"kernel,omitempty"`
	// Preload are files that are read into the guest's memory before the
	// process starts.
	Preload []string `json:"preload,omitempty"`
	// Beat is how often the guest says that it lives, by its own clock.
	Beat time.Duration `json:"beat"`
}

// Kind says what a message means.
type Kind string

// The kinds. Stop is for the guest, all others are from it.
const (
	// Booted: the guest has its root and is about to read Job.Preload.
	Booted Kind = "booted"
	// Started: the process has started.
	Started Kind = "started"
	// Output: the process has written Data to Stream.
	Output Kind = "output"
	// Beat: the guest lives.
	Beat Kind = "beat"
	// Ended: the process has ended with Code; the guest powers off.
	Ended Kind = "ended"
	// Failed: the guest cannot do its job, because of Text; it powers off.
	Failed Kind = "failed"
	// Stop asks the guest to end the process as Ctrl-C would.
	Stop Kind = "stop"
)

// The streams of Output.
const (
	Stdout = 1
	Stderr = 2
)

// Message is one line of the talk.
type Message struct {
	Kind   Kind   `json:"kind"`
	Stream int    `json:"stream,omitempty"`
	Data   []byte `json:"data,omitempty"`
	Code   int    `json:"code,omitempty"`
	Text   string `json:"text,omitempty"`
	// Uptime is the guest's time since it booted.
	Uptime time.Duration `json:"uptime,omitempty"`
}

// Conn is one end of the talk. Send may be called by several goroutines at a
// time, Receive by one.
type Conn struct {
	mu  sync.Mutex
	out io.Writer
	in  *bufio.Reader
}

// NewConn returns an end that reads and writes rw.
func NewConn(rw io.ReadWriter) *Conn { return &Conn{out: rw, in: bufio.NewReader(rw)} }

// Send writes one message.
func (c *Conn) Send(m Message) error {
	line, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode message %s: %w", m.Kind, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.out.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("send message %s: %w", m.Kind, err)
	}
	return nil
}

// Receive returns the next message; io.EOF if the other end is gone.
func (c *Conn) Receive() (Message, error) {
	line, err := c.in.ReadBytes('\n')
	if err != nil {
		return Message{}, err
	}
	var m Message
	if err := json.Unmarshal(line, &m); err != nil {
		return Message{}, fmt.Errorf("decode message %.60q: %w", line, err)
	}
	return m, nil
}
