package census

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// TestVisitLinger has an owner that closes the socket during the visit, with data that
// nobody reads and SO_LINGER set.
func TestVisitLinger(t *testing.T) {
	needsTaking(t)
	client, server := labtest.Pair(t, "tcp4", false)
	fd, inode := descriptor(t, client)
	_, ours := take(t, Query{PIDs: []int{os.Getpid()}, FD: &fd}, fd)
	if len(ours) != 1 {
		t.Fatalf("sockets %+v, want one", ours)
	}
	for written := 0; written == 0; { // A deadline may pass before a byte is written.
		client.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		n, err := client.Write(make([]byte, 64<<20))
		if err == nil {
			t.Fatal("64 MiB fit into buffers")
		}
		written = n
	}
	if err := client.SetLinger(20); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	err := ours[0].Visit(func(*Socket, tcpopt.Socket) { client.Close() })
	if took := time.Since(start); took > time.Second {
		t.Errorf("a visit took %v with a lingering owner", took)
	}
	if err != nil {
		t.Errorf("Visit: %v", err)
	}
	// Nobody has the socket any more, and the kernel still sends the rest.
	server.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := discard(server)
	if err != nil || n == 0 {
		t.Errorf("the peer of inode %d read %d bytes, then %v, want all and the end", inode, n, err)
	}
}

// discard reads to the end.
func discard(c net.Conn) (n int, err error) {
	buf := make([]byte, 1<<20)
	for {
		m, err := c.Read(buf)
		n += m
		switch {
		case err == nil:
		case err.Error() == "EOF":
			return n, nil
		default:
			return n, err
		}
	}
}

// TestVisitStop stops the visitor while it holds a duplicate.
func TestVisitStop(t *testing.T) {
	for _, sig := range stopSignals {
		cmd := stopProgram.Command(fmt.Sprint(int(sig.(unix.Signal))))
		cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true} // Not orphaned, as this one may be.
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Skipf("cannot start programs here: %v", err)
		}
		var ws unix.WaitStatus
		_, err := unix.Wait4(cmd.Process.Pid, &ws, unix.WUNTRACED, nil)
		if err != nil || !ws.Stopped() || ws.StopSignal() != sig {
			cmd.Process.Kill()
			cmd.Wait()
			t.Fatalf("%v: waited: %v, status %#x, output %q, want it to stop", sig, err, ws, &out)
		}
		open := socketDescriptors(cmd.Process.Pid)
		cmd.Process.Signal(unix.SIGCONT)
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v: %v, output %q", sig, err, &out)
		}
		// It printed how many were open before the visit.
		var before int
		fmt.Sscan(out.String(), &before)
		if open != before || before == 0 {
			t.Errorf("%v: %d descriptors of sockets while stopped, %d before the visit", sig, open, before)
		}
	}
}

// socketDescriptors counts the sockets among a process's descriptors.
func socketDescriptors(pid int) (n int) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

var stopProgram = labtest.NewProgram("stop", stopInVisit)

// stopInVisit sends itself a signal during a visit, and continues afterwards.
func stopInVisit() int {
	fail := func(what any) int { fmt.Println(what); return 1 }
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return fail(err)
	}
	c, err := Take(&Query{PIDs: []int{os.Getpid()}, Listen: true})
	if err != nil || len(c.Sockets) == 0 {
		return fail(fmt.Sprint(c, err))
	}
	var number int
	fmt.Sscan(os.Args[1], &number)
	fmt.Println(socketDescriptors(os.Getpid()))
	held := time.Duration(0)
	start := time.Now()
	err = c.Sockets[0].Visit(func(*Socket, tcpopt.Socket) {
		unix.Kill(os.Getpid(), unix.Signal(number))
		time.Sleep(100 * time.Millisecond)
		held = time.Since(start)
	})
	if err != nil || held > 2*time.Second {
		return fail(fmt.Sprint(held, err))
	}
	// The stop comes now at the latest.
	time.Sleep(100 * time.Millisecond)
	l.Close()
	return 0
}

// TestStopIgnored has a signal that this process ignores from its start.
func TestStopIgnored(t *testing.T) {
	if slices.Contains(stopSignals, os.Signal(unix.SIGSTOP)) {
		t.Error("nobody can catch SIGSTOP")
	}
	old, err := replaceAction(unix.SIGUSR2, sigaction{}, true)
	if err != nil {
		t.Skipf("no rt_sigaction here: %v", err)
	}
	if old == (sigaction{}) {
		t.Error("SIGUSR2, which Go catches, looks uncaught")
	}
}
