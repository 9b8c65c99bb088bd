package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// columns is the width of the terminal that w is, or 0 if it is none or too
// small.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	switch {
	case err != nil, size.Col > 0 && size.Col < 60, size.Row > 0 && size.Row <= lines:
		return 0
	case size.Col == 0: // It does not know.
		return 80
	}
	return int(size.Col)
}
