package tcpopt_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWine looks at the Linux socket under one of Wine 8.0, on which TestPair
// has set idle and interval. TCPOPT_WINE is a command that runs the Windows
// tests.
func TestWine(t *testing.T) {
	command := strings.Fields(os.Getenv("TCPOPT_WINE"))
	if len(command) == 0 {
		t.Skip("TCPOPT_WINE is not set")
	}
	cmd := exec.Command(command[0], append(command[1:], "-test.run=^TestPair$", "-test.v")...)
	cmd.Env = append(os.Environ(), "TCPOPT_HOLD=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	held := false
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var port int
		if _, err := fmt.Sscanf(lines.Text(), "holding port %d", &port); err == nil {
			held = true
			if got, want := rawOptions(borrow(t, port)), [...]int{1, 33, 11}; [3]int(got[:3]) != want {
				t.Errorf("the Linux socket has %v, want %v", got[:3], want)
			}
			stdin.Close()
		}
	}
	if err := cmd.Wait(); err != nil || !held {
		t.Errorf("%v: %v, held a socket: %v", cmd, err, held)
	}
}

// borrow returns a descriptor of the TCP socket with the local port of whatever
// process has it.
func borrow(t *testing.T, port int) int {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	inode := ""
	for _, line := range strings.Split(strings.TrimSpace(string(table)), "\n") {
		if f := strings.Fields(line); strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			inode = f[9]
		}
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if to, _ := os.Readlink(link); to != "socket:["+inode+"]" {
			continue
		}
		parts := strings.Split(link, "/")
		pid, _ := strconv.Atoi(parts[2])
		theirs, _ := strconv.Atoi(parts[4])
		pidfd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(pidfd)
		fd, err := unix.PidfdGetfd(pidfd, theirs, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	t.Fatalf("no process has the socket %q of port %d", inode, port)
	return -1
}
