package nodeimage

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// layer is a tar file that becomes a layer of an image. Everything in it belongs
// to root and has the same time.
type layer struct {
	file   *os.File
	buffer *bufio.Writer
	tar    *tar.Writer
	made   map[string]bool // folders
	err    error           // the first one; later calls do nothing
}

func newLayer(file string) (*layer, error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	b := bufio.NewWriterSize(f, 1<<20)
	return &layer{file: f, buffer: b, tar: tar.NewWriter(b), made: map[string]bool{".": true}}, nil
}

// close ends the layer and returns the first error there was.
func (l *layer) close() error {
	l.keep(l.tar.Close())
	l.keep(l.buffer.Flush())
	l.keep(l.file.Close())
	return l.err
}

func (l *layer) keep(err error) {
	if l.err == nil {
		l.err = err
	}
}

func (l *layer) write(h tar.Header, content io.Reader) {
	if l.err != nil {
		return
	}
	h.ModTime, h.Format = epoch(), tar.FormatPAX
	if err := l.tar.WriteHeader(&h); err != nil {
		l.err = fmt.Errorf("write %s: %w", h.Name, err)
		return
	}
	if content != nil {
		if _, err := io.Copy(l.tar, content); err != nil {
			l.err = fmt.Errorf("write %s: %w", h.Name, err)
		}
	}
}

// dir makes a folder, and those it is in.
func (l *layer) dir(name string, mode int64) {
	if l.made[name] {
		return
	}
	l.dir(path.Dir(name), 0o755)
	l.made[name] = true
	l.write(tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode}, nil)
}

// text makes a file.
func (l *layer) text(name string, mode int64, content string) {
	l.dir(path.Dir(name), 0o755)
	l.write(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content))}, strings.NewReader(content))
}

// copy makes a file of one that is there.
func (l *layer) copy(name string, mode int64, from string) {
	f, err := os.Open(from)
	if err != nil {
		l.keep(err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		l.keep(err)
		return
	}
	l.dir(path.Dir(name), 0o755)
	l.write(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: info.Size()}, f)
}

// link makes a symbolic link.
func (l *layer) link(name, target string) {
	l.dir(path.Dir(name), 0o755)
	l.write(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
}

// tree copies a folder with what is in it. mode says which mode a file gets.
func (l *layer) tree(name, from string, mode func(name string) int64) {
	l.keep(filepath.WalkDir(from, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		to := path.Join(name, filepath.ToSlash(rel))
		switch {
		case entry.IsDir():
			l.dir(to, 0o755)
		case entry.Type().IsRegular():
			l.copy(to, mode(to), file)
		default:
			return errors.New(file + " is neither a file nor a folder")
		}
		return l.err
	}))
}
