package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// encode returns v as indented JSON. The order of keys is that of the struct,
// or the alphabet in a map, so that equal values give equal bytes.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // configurations and messages are read by people
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// encodeLines returns one line of JSON for each of items.
func encodeLines[T any](items []T) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i := range items {
		if err := e.Encode(&items[i]); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return b.Bytes(), nil
}

// writeJSON stores v durably as the file name.
func writeJSON(name string, v any) error {
	data, err := encode(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(name), err)
	}
	return replaceFile(name, data)
}

// replaceFile puts data in the place of the file name. After a crash there
// is either the old content or the new.
func replaceFile(name string, data []byte) error {
	dir := filepath.Dir(name)
	temporary := filepath.Join(dir, hidden(filepath.Base(name)))
	if err := writeFile(temporary, data); err != nil {
		return err
	}
	if err := os.Rename(temporary, name); err != nil {
		return err
	}
	return syncPath(dir)
}

// writeFile writes data to the file name and through to the disk. A file
// that could not be written whole is removed, which also gives back its
// space.
func writeFile(name string, data []byte) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(name)
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// syncTree writes all regular files and folders under dir through to the
// disk, dir last.
func syncTree(dir string) error {
	var folders []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			folders = append(folders, name)
		case d.Type().IsRegular():
			return syncPath(name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := len(folders) - 1; i >= 0; i-- {
		if err := syncPath(folders[i]); err != nil {
			return err
		}
	}
	return nil
}

// syncPath writes a file or folder through to the disk.
func syncPath(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
