package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock locks f until it is closed, and reports whether nobody else has.
func lock(f *os.File) bool {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}
