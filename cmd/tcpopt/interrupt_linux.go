package main

import (
	"os"
	"syscall"
)

// interrupts are the signals that end set early.
var interrupts = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}
