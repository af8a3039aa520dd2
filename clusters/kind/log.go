package kind

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	kindlog "sigs.k8s.io/kind/pkg/log"
)

// journal is a file with what kind does and what svcbench does beside it, each
// line with the seconds since the beginning. It is there for when a cluster does
// not come up, or takes long.
type journal struct {
	mu    sync.Mutex
	file  *os.File // nil keeps nothing
	begin time.Time
}

var _ kindlog.Logger = (*journal)(nil)

// newJournal begins a journal in a folder; without one it keeps nothing.
func newJournal(dir string) (*journal, error) {
	j := &journal{begin: time.Now()}
	if dir == "" {
		return j, nil
	}
	var err error
	if j.file, err = os.Create(filepath.Join(dir, "kind.log")); err != nil {
		return nil, fmt.Errorf("begin the log of a cluster: %w", err)
	}
	return j, nil
}

// note writes a line. That it cannot be written is no reason to fail.
func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		_, _ = fmt.Fprintf(j.file, "%7.2f "+format+"\n", append([]any{time.Since(j.begin).Seconds()}, args...)...)
	}
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
}

// What kind asks of a logger (sigs.k8s.io/kind/pkg/log).

func (j *journal) Warn(message string)               { j.note("! %s", message) }
func (j *journal) Warnf(format string, args ...any)  { j.note("! "+format, args...) }
func (j *journal) Error(message string)              { j.note("! %s", message) }
func (j *journal) Errorf(format string, args ...any) { j.note("! "+format, args...) }

// V enables what kind says of its steps, and no command's output.
func (j *journal) V(level kindlog.Level) kindlog.InfoLogger { return verbose{j, level == 0} }

// verbose is the journal for what is no warning.
type verbose struct {
	*journal
	enabled bool
}

func (v verbose) Enabled() bool { return v.enabled }

func (v verbose) Info(message string) {
	if v.enabled {
		v.note("%s", message)
	}
}

func (v verbose) Infof(format string, args ...any) {
	if v.enabled {
		v.note(format, args...)
	}
}
