package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/examples/internal/e2e"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

func TestMain(m *testing.M) { e2e.Main(m, main) }

func TestToggle(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, labtest.NewHost(t), "-on")
	for _, want := range []string{"keepalive is false", "switched to true it is true", "switched to false it is false", "switched to true it is true"} {
		if line, _ := p.Wait(t, 10*time.Second, ""); line != want {
			t.Errorf("printed %q, want %q", line, want)
		}
	}
}

// TestCut uses the switch alone, with the system's settings at 1 s, 1 s and 2 probes.
func TestCut(t *testing.T) {
	t.Parallel()
	const due = 3 * time.Second
	l := labtest.NewLab(t)
	labtest.Need(t, l.Near.Do(func() error {
		for name, value := range map[string]string{"time": "1", "intvl": "1", "probes": "2"} {
			if err := os.WriteFile("/proc/sys/net/ipv4/tcp_keepalive_"+name, []byte(value), 0); err != nil {
				return err
			}
		}
		return nil
	}))
	e2e.Start(t, l.Far, "-serve", ":7000").Wait(t, 10*time.Second, "listening")
	off := e2e.Start(t, l.Near, "-connect", l.Far.IPv4.String()+":7000")
	on := e2e.Start(t, l.Near, "-on", "-connect", l.Far.IPv4.String()+":7000")
	off.Wait(t, 10*time.Second, "cut the cable")
	on.Wait(t, 10*time.Second, "cut the cable")
	if err := l.Cable.Cut(); err != nil {
		t.Fatal(err)
	}
	cut := time.Now()
	line, at := on.Wait(t, 2*due, "lost")
	e2e.Figure(t, "toggle -on", at.Sub(cut))
	if took := at.Sub(cut); took < due/2 || !strings.HasSuffix(line, "connection timed out (dead peer: true)") {
		t.Errorf("after %v: %s, want a dead peer after %v", took, line, due)
	}
	off.Silent(t, time.Until(cut.Add(10*due)), "lost")
	e2e.Figure(t, "toggle", time.Since(cut))
}

// TestNone runs the program in Node.js, where sockets have no options.
func TestNone(t *testing.T) {
	t.Parallel()
	node := labtest.FindProgram(t, "node")
	wasm := filepath.Join(t.TempDir(), "toggle.wasm")
	build := exec.Command("go", "build", "-o", wasm, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=js", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command(node, filepath.Join(strings.TrimSpace(string(root)), "lib/wasm/wasm_exec_node.js"), wasm)
	run.Env = []string{"PATH=" + os.Getenv("PATH")} // It must be small.
	out, err := run.CombinedOutput()
	const want = "tcpopt: get SO_KEEPALIVE: not on js: unsupported operation (errors.ErrUnsupported: true)\n"
	if err == nil || string(out) != want {
		t.Errorf("%v, printed %q, want %q", err, out, want)
	}
}
