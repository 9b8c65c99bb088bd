package main

import (
	"errors"
	"os"
	"syscall"
)

// interrupts are the signals that end set early.
var interrupts = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// hasEnded reports whether p has, whoever has its number now.
func hasEnded(p *os.Process) bool { return errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone) }
