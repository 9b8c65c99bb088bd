package main

import (
	"os/exec"
	"testing"

	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// findProgram returns the path of a program of somebody else, or skips the test.
func findProgram(t testing.TB, name string) string {
	t.Helper()
	needsPrograms(t)
	return labtest.FindProgram(t, name)
}

// client starts a program in a host that connects, asks it and has an answer.
func client(t testing.TB, host *netlab.Host, question, answer, name string, args ...string) {
	t.Helper()
	r := start(t, exec.Command(findProgram(t, name), args...), host.Start)
	r.Ask(t, question)
	if line := r.Line(t); line != answer {
		t.Fatalf("%s: %s: %q, want %q", name, question, line, answer)
	}
}
