package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// temporary is the name of what becomes a file of metrics: hidden, and not *.prom,
// so that nobody reads it as metrics.
const temporary = ".tcpopt-*"

// isTemporary matches what os.CreateTemp makes of temporary.
var isTemporary = regexp.MustCompile(`^\.tcpopt-[0-9]+$`)

// replaceFile makes text the content of file, which has its old content until
// then. After a crash of the system it may have neither: the next run heals that.
func replaceFile(file string, text []byte) error {
	// What is not a file, /dev/null for one, is not to become one.
	if info, err := os.Lstat(file); err == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "replace", Path: file, Err: errors.New("not a regular file")}
	}
	dir := filepath.Dir(file)
	removeLeft(dir)
	f, err := os.CreateTemp(dir, temporary)
	if err != nil {
		return unnumbered(err, dir)
	}
	lock(f) // Until it is closed. If that cannot be, it is young still.
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(0o644) // The reader is another user, whatever the umask.
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return unnumbered(err, dir)
}

// unnumbered is err without the number of a temporary file, so that the same error
// has the same text each time.
func unnumbered(err error, dir string) error {
	name := filepath.Join(dir, temporary)
	switch e := err.(type) {
	case *fs.PathError:
		e.Path = name
	case *os.LinkError:
		e.Old = name
	}
	return err
}

// young is how old a temporary file may be without a lock.
const young = 10 * time.Second

// removeLeft removes the temporary files of runs that were killed. What cannot be
// removed is somebody else's, and no reason not to write.
func removeLeft(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !e.Type().IsRegular() || !isTemporary.MatchString(e.Name()) {
			continue
		}
		if info, err := e.Info(); err != nil || time.Since(info.ModTime()) < young {
			continue
		}
		path := filepath.Join(dir, e.Name())
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if lock(f) { // Nobody writes it.
			os.Remove(path)
		}
		f.Close()
	}
}
