package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// terminalSize is false if f is no console.
func terminalSize(f *os.File) (width, height int, ok bool) {
	var info windows.ConsoleScreenBufferInfo
	if windows.GetConsoleScreenBufferInfo(windows.Handle(f.Fd()), &info) != nil {
		return 0, 0, false
	}
	// The last column is left free: a line that fills it would wrap.
	return int(info.Window.Right - info.Window.Left), int(info.Window.Bottom-info.Window.Top) + 1, true
}
