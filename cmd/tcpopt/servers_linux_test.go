package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// findProgram returns the path of a program of somebody else. Where it is
// missing, the test is skipped, or fails where the environment has
// TCPOPT_PROGRAMS=required.
func findProgram(t testing.TB, name string) string {
	t.Helper()
	needsPrograms(t)
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/lib/postgresql/*/bin"} {
		found, _ := filepath.Glob(filepath.Join(dir, name))
		for _, path := range found {
			if path, err := exec.LookPath(path); err == nil {
				return path
			}
		}
	}
	if os.Getenv("TCPOPT_PROGRAMS") == "required" {
		t.Fatalf("no program %s here", name)
	}
	t.Skipf("no program %s here", name)
	panic("not reached")
}

// launch starts a server in h, which the signal sig ends with the test, and
// waits until it says ready in a line of its standard error, if that is not
// empty.
func launch(t testing.TB, h *netlab.Host, sig syscall.Signal, ready string, cmd *exec.Cmd) (pid string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	err = h.Start(cmd)
	w.Close()
	labtest.Need(t, err)
	var said bytes.Buffer // Read by others once done is closed.
	isReady, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		waiting := ready != ""
		for lines := bufio.NewScanner(r); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if waiting && strings.Contains(lines.Text(), ready) {
				waiting = false
				close(isReady)
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(sig)
		kill := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		kill.Stop()
		<-done // Its children too have closed their standard error.
		r.Close()
		if t.Failed() {
			t.Logf("%s said\n%s", cmd.Path, &said)
		}
	})
	if ready != "" {
		select {
		case <-isReady:
		case <-done:
			t.Fatalf("%s ended", cmd.Path)
		case <-time.After(30 * time.Second):
			t.Fatalf("%s is not ready after 30s", cmd.Path)
		}
	}
	return strconv.Itoa(cmd.Process.Pid)
}

// startPostgres starts a PostgreSQL server in h, at port 5432 of all its
// addresses, whose user postgres needs no password, and returns its process.
func startPostgres(t testing.TB, h *netlab.Host) (pid string) {
	t.Helper()
	initdb, err := filepath.EvalSymlinks(findProgram(t, "initdb"))
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir, which nobody else may enter: PostgreSQL refuses root.
	dir, err := os.MkdirTemp("", "tcpopt-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	attr := func() *syscall.SysProcAttr { return nil }
	if os.Getuid() == 0 {
		const nobody = 65534
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		attr = func() *syscall.SysProcAttr {
			return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
	}
	data := filepath.Join(dir, "data")
	init := exec.Command(initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	init.Dir, init.SysProcAttr = dir, attr()
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	const access = "host all all all trust\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(access), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(initdb), "postgres"), "-D", data, "-c", "listen_addresses=*", "-c", "port=5432",
		"-c", "unix_socket_directories=", "-c", "dynamic_shared_memory_type=mmap", "-c", "fsync=off")
	cmd.Dir, cmd.SysProcAttr = dir, attr()
	return launch(t, h, syscall.SIGINT, "ready to accept connections", cmd)
}

// startRedis starts a Redis server in h, at port 6379.
func startRedis(t testing.TB, h *netlab.Host) {
	t.Helper()
	cmd := exec.Command(findProgram(t, "redis-server"), "--bind", h.IPv4.String(), "--protected-mode", "no", "--save", "")
	cmd.Dir = t.TempDir()
	launch(t, h, syscall.SIGTERM, "Ready to accept connections", cmd)
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
