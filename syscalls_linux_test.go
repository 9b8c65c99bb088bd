package tcpopt_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
)

// strace runs the test of that name again, under strace(1) and with
// TCPOPT_STRACE set, and returns the trace of the system calls.
func strace(t *testing.T, calls string) string {
	t.Helper()
	program, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace(1)")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(program, "-f", "-o", trace, "-e", "trace="+calls, exe, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "TCPOPT_STRACE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		for _, reason := range []string{"ptrace(", "PTRACE_", "Exec format error"} {
			if strings.Contains(string(out), reason) {
				t.Skipf("strace(1) cannot trace here: %s", bytes.TrimSpace(out))
			}
		}
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestSystemCalls counts the system calls of a call by strace(1).
func TestSystemCalls(t *testing.T) {
	child := os.Getenv("TCPOPT_STRACE") != ""
	plain, _ := connect(t, "tcp4", false)
	multipath, _ := connectMultipath(t)
	raw, err := plain.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name       string
		call       func(tcpopt.Socket)
		gets, sets int
	}{
		{"KeepAlive", func(s tcpopt.Socket) { s.KeepAlive() }, 1, 0},
		{"KeepAliveIdle", func(s tcpopt.Socket) { s.KeepAliveIdle() }, 1, 0},
		{"SetKeepAlive", func(s tcpopt.Socket) { s.SetKeepAlive(true) }, 0, 1},
		{"SetKeepAliveIdle", func(s tcpopt.Socket) { s.SetKeepAliveIdle(time.Minute) }, 0, 1},
		{"Config", func(s tcpopt.Socket) { s.Config() }, 5, 0},
		{"nothing", func(s tcpopt.Socket) { s.SetConfig(tcpopt.Config{}) }, 0, 0},
		{"off", func(s tcpopt.Socket) { s.SetConfig(tcpopt.Config{KeepAlive: tcpopt.Off}) }, 0, 1},
		{"four", func(s tcpopt.Socket) {
			s.SetConfig(tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Minute, Interval: time.Minute, Count: 3})
		}, 0, 4},
		{"supported", func(s tcpopt.Socket) { s.SetSupported(full) }, 0, 5},
		{"refused", func(s tcpopt.Socket) {
			for _, o := range allTimes {
				for _, d := range badInConfig(o) {
					var c tcpopt.Config
					*o.field(&c) = d
					s.SetConfig(c)
				}
				for _, d := range badTimes(o.row) {
					o.set(s, d)
				}
			}
			for _, o := range allCounts {
				for _, n := range badCounts(o.row) {
					o.set(s, n)
				}
			}
		}, 0, 0},
	}
	dial := func(d *net.Dialer, l net.Listener) {
		c, err := d.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	var dialed, listened net.Listener
	if child {
		dialed = listenWith(t, &net.ListenConfig{KeepAlive: -1}, "tcp4")
		lc := net.ListenConfig{KeepAlive: -1}
		lc.SetMultipathTCP(false)
		listened = tcpopt.NewListener(listenWith(t, &lc, "tcp4"), full, nil)
		dial(&net.Dialer{KeepAlive: -1}, listened)
	}
	// What package net calls in any case does not count.
	alone := []struct {
		name       string
		call       func()
		gets, sets int
	}{
		{"Defaults", func() { tcpopt.Defaults() }, 5, 0},
		{"dial", func() { dial(&net.Dialer{KeepAlive: -1, Control: full.DialControl}, dialed) }, 0, 5},
		{"accept", func() {
			c, err := listened.Accept()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
		}, 0, 5},
	}
	if child {
		for _, step := range alone {
			mark("alone", step.name, "begin")
			step.call()
			mark("alone", step.name, "end")
		}
		for _, step := range steps {
			for name, s := range map[string]tcpopt.Socket{"plain": fromConn(t, plain), "multipath": fromConn(t, multipath), "raw": tcpopt.FromRawConn(raw), "embedded": fromConn(t, struct{ *net.TCPConn }{plain})} {
				mark(name, step.name, "begin")
				step.call(s)
				mark(name, step.name, "end")
			}
		}
		return
	}

	out := strace(t, "setsockopt,getsockopt,chdir")
	for _, step := range alone {
		_, calls, ok := strings.Cut(out, marker("alone", step.name, "begin"))
		calls, _, end := strings.Cut(calls, marker("alone", step.name, "end"))
		if !ok || !end {
			t.Fatalf("%s: no marks in the trace", step.name)
		}
		gets := strings.Count(calls, "getsockopt(") - strings.Count(calls, "SO_ERROR")
		sets := strings.Count(calls, "setsockopt(") - strings.Count(calls, "TCP_NODELAY")
		if gets != step.gets || sets != step.sets {
			t.Errorf("%s: %d gets and %d sets, want %d and %d\n%s", step.name, gets, sets, step.gets, step.sets, calls)
		}
	}
	for _, step := range steps {
		for _, name := range []string{"plain", "multipath", "raw", "embedded"} {
			_, calls, ok := strings.Cut(out, marker(name, step.name, "begin"))
			calls, _, end := strings.Cut(calls, marker(name, step.name, "end"))
			if !ok || !end {
				t.Fatalf("%s, %s: no marks in the trace", name, step.name)
			}
			gets := step.gets
			if name == "raw" && gets+step.sets > 0 {
				gets++ // It is asked whether it is TCP.
			}
			if g, s := strings.Count(calls, "getsockopt("), strings.Count(calls, "setsockopt("); g != gets || s != step.sets {
				t.Errorf("%s, %s: %d gets and %d sets, want %d and %d\n%s", name, step.name, g, s, gets, step.sets, calls)
			}
		}
	}
}

// mark leaves a mark in the trace.
func mark(words ...string) { unix.Chdir(marker(words...)) }

func marker(words ...string) string { return fmt.Sprintf("/no such/%s", strings.Join(words, "/")) }
