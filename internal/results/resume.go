package results

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"svcbench/internal/failure"
)

// errBusy is why a run cannot be written to.
var errBusy = errors.New("another svcbench is writing to it")

// Resume goes on with a run as it was read, of which drop are the trials that are to be
// measured again. What a killed program left of trials under way is removed; all other
// trials stay as they are. It is a usage error if another program is writing to the
// run, or has done so since it was read.
func Resume(read *Data, drop []string) (*Writer, error) {
	dir := read.Dir
	w := &Writer{dir: dir, run: read.Run}
	if err := w.hold(); err != nil {
		if errors.Is(err, errBusy) {
			return nil, failure.New(failure.Usage, fmt.Errorf("resume run %s: %w", dir, err), "wait for its end, or stop it with Ctrl-C")
		}
		return nil, writeError(fmt.Errorf("resume run %s: %w", dir, err))
	}
	if now, err := Open(dir); err != nil || len(now.Trials) != len(read.Trials) {
		if err == nil {
			err = failure.New(failure.Usage, fmt.Errorf("resume run %s: another svcbench has gone on with it meanwhile", dir), "look at it again")
		}
		return nil, errors.Join(err, w.Close())
	}
	if err := w.clear(drop); err != nil {
		return nil, writeError(errors.Join(fmt.Errorf("resume run %s: %w", dir, err), w.Close()))
	}
	return w, nil
}

// clear removes trials, and those that were never finished.
func (w *Writer) clear(drop []string) error {
	entries, err := os.ReadDir(filepath.Join(w.dir, trialFolder))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			if err := os.RemoveAll(filepath.Join(w.dir, trialFolder, e.Name())); err != nil {
				return err
			}
		}
	}
	for _, id := range drop {
		if err := checkName("trial", id); err != nil {
			return err
		}
		if err := os.RemoveAll(TrialDir(w.dir, id)); err != nil {
			return err
		}
	}
	return syncPath(filepath.Join(w.dir, trialFolder))
}

// hold keeps other programs from writing to the run until Close, or the end of this
// program, however it comes.
func (w *Writer) hold() error {
	f, err := os.Open(w.dir)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written to it
		if errors.Is(err, unix.EWOULDBLOCK) {
			return errBusy
		}
		return fmt.Errorf("lock %s: %w", w.dir, err)
	}
	w.lock = f
	return nil
}

// Close lets others write to the run. It may be called more than once.
func (w *Writer) Close() error {
	if w.lock == nil {
		return nil
	}
	f := w.lock
	w.lock = nil
	if err := f.Close(); err != nil {
		return fmt.Errorf("unlock %s: %w", w.dir, err)
	}
	return nil
}
