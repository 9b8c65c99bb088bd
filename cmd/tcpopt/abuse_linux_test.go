package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

var lingerProgram = labtest.NewProgram("linger", linger)

// linger closes sockets that have unsent data and SO_LINGER, as fast as it can,
// until its input ends. It prints how many closes were not the last, since somebody
// had a duplicate.
func linger() int {
	const patience = 20 // Seconds.
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	var over atomic.Bool
	go func() { io.Copy(io.Discard, os.Stdin); over.Store(true) }()
	fmt.Println("ready")
	shared := 0
	var keep []net.Conn
	data := make([]byte, 8<<20)
	for !over.Load() {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			fmt.Println(err)
			return 1
		}
		s, err := l.Accept()
		if err != nil {
			fmt.Println(err)
			return 1
		}
		client, server := c.(*net.TCPConn), s.(*net.TCPConn)
		client.SetWriteBuffer(4096)
		client.SetWriteDeadline(time.Now().Add(time.Millisecond))
		client.Write(data)
		client.SetLinger(patience)
		server.SetLinger(0)
		closed := make(chan struct{})
		go func() { client.Close(); close(closed) }()
		select {
		case <-closed:
			shared++
			keep = append(keep, server) // It is to wait for its peer.
		case <-time.After(2 * time.Millisecond):
			server.Close()
			<-closed
		}
	}
	for _, c := range keep {
		c.Close()
	}
	fmt.Println(shared)
	return 0
}

// TestLsLinger lists the sockets of a program that closes them with SO_LINGER.
func TestLsLinger(t *testing.T) {
	needsTaking(t)
	r := start(t, lingerProgram.Command(), plainly)
	r.Line(t)
	n := times(t, "TCPOPT_LINGER", 100)
	// A close that waits does so for 20 s. A machine that does much else may take a
	// second for an ls.
	bound := 5 * time.Second
	if n >= 1000 {
		bound = time.Second
	}
	longest, long := time.Duration(0), 0
	for range n {
		begin := time.Now()
		status, _, stderr := command("ls", "-pid", r.PID())
		took := time.Since(begin)
		if status != 0 || stderr != "" {
			t.Fatalf("status %d, stderr %q", status, stderr)
		}
		longest = max(longest, took)
		if took > bound {
			long++
		}
	}
	if long > 0 {
		t.Errorf("%d of %d runs took more than %v, the longest %v", long, n, bound, longest)
	}
	r.In.Close()
	t.Logf("%d runs, the longest %v; the last close was theirs %s times", n, longest, r.Line(t))
}

// taking reports whether a process has a descriptor of another, by which it takes
// that one's, or has ended.
func taking(pid int) bool {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if to, _ := os.Readlink(link); to == "anon_inode:[pidfd]" || strings.HasPrefix(to, "pidfd:") {
			return true
		}
	}
	return len(links) == 0
}

// TestLsStopped stops ls at random.
func TestLsStopped(t *testing.T) {
	needsTaking(t)
	r, all := hold(t, plainly, "-n", "1000")
	theirs := map[string]bool{}
	links, _ := filepath.Glob("/proc/" + r.PID() + "/fd/*")
	for _, link := range links {
		to, _ := os.Readlink(link)
		theirs[to] = strings.HasPrefix(to, "socket:")
	}
	path := filepath.Join(t.TempDir(), "out")
	// ls runs ls, stops it by sig after a while if sig is not 0, and returns how long
	// it took once it had begun to take descriptors, whether it was stopped, and how many of their sockets it had then.
	ls := func(sig unix.Signal, after time.Duration) (took time.Duration, stopped bool, had int) {
		out, err := os.Create(path)
		labtest.Need(t, err)
		defer out.Close()
		cmd := theCommand.Command("ls", "-json", "-pid", r.PID())
		cmd.Stdout = out
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		labtest.Need(t, cmd.Start())
		for deadline := time.Now().Add(10 * time.Second); !taking(cmd.Process.Pid) && time.Now().Before(deadline); {
			time.Sleep(100 * time.Microsecond)
		}
		begin := time.Now()
		if sig != 0 {
			time.Sleep(after)
			cmd.Process.Signal(sig)
		}
		var ws unix.WaitStatus
		for {
			_, err := unix.Wait4(cmd.Process.Pid, &ws, unix.WUNTRACED, nil)
			if err == unix.EINTR {
				continue
			}
			labtest.Need(t, err)
			if !ws.Stopped() {
				break
			}
			stopped = true
			links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", cmd.Process.Pid))
			for _, link := range links {
				if to, _ := os.Readlink(link); theirs[to] {
					had++
				}
			}
			cmd.Process.Signal(unix.SIGCONT)
		}
		took = time.Since(begin)
		cmd.Process.Release()
		text, _ := os.ReadFile(path)
		var whole struct{ Sockets []any }
		if err := json.Unmarshal(text, &whole); err != nil || ws.ExitStatus() != 0 || len(whole.Sockets) != len(all)-1 {
			t.Errorf("%v after %v: %v, status %d, %d sockets, want %d", sig, after, err, ws.ExitStatus(), len(whole.Sockets), len(all)-1)
		}
		return took, stopped, had
	}
	took, _, _ := ls(0, 0)
	n := times(t, "TCPOPT_STOPS", 30)
	for _, sig := range []unix.Signal{unix.SIGTSTP, unix.SIGSTOP} {
		stops, holding := 0, 0
		for range n {
			_, stopped, had := ls(sig, time.Duration(rand.Int64N(int64(took))))
			if stopped {
				stops++
			}
			if had > 0 {
				holding++
			}
		}
		if sig != unix.SIGSTOP && holding > 0 { // That one is nobody's to catch.
			t.Errorf("%v: %d times of %d, ls was stopped while it held a descriptor", sig, holding, stops)
		}
		if stops < n/4 {
			t.Errorf("%v: stopped %d times of %d", sig, stops, n)
		}
		t.Logf("%v: %d runs, stopped %d times, with a descriptor %d times", sig, n, stops, holding)
	}
}
