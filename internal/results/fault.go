package results

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"svcbench/internal/failure"
)

// writeError classifies why something could not be stored: a full or
// forbidden place is for the user to change.
func writeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return failure.New(failure.Environment, err, "free some space there (`df -h`), or put the run on another disk with --out DIR")
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		return failure.New(failure.Environment, err, "choose a folder that you may write to with --out DIR")
	case errors.Is(err, unix.ENOTDIR):
		return failure.New(failure.Usage, err, "choose a folder with --out DIR; part of this path is a file")
	case errors.Is(err, unix.EIO):
		return failure.New(failure.Environment, err, "the disk is failing (`dmesg`): put the run on another one with --out DIR")
	}
	return err
}

// readError classifies why a run directory could not be read.
func readError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return failure.New(failure.Environment, err, "read it as the user who made it, for example with sudo")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return failure.New(failure.Usage, err, "name a run directory, such as one of those in runs/")
	}
	return err
}
