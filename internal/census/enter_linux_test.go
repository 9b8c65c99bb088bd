package census

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// setRetries sets tcp_retries2 in h.
func setRetries(t testing.TB, h *netlab.Host, n int) {
	t.Helper()
	labtest.Need(t, h.Do(func() error {
		return os.WriteFile("/proc/sys/net/ipv4/tcp_retries2", []byte(fmt.Sprint(n)), 0)
	}))
}

// TestWithin has a process whose namespace has its own settings.
func TestWithin(t *testing.T) {
	needsTaking(t)
	h := labtest.NewHost(t)
	setRetries(t, h, 3)
	p := sleeping(t, h.Start)
	own, err := SystemLimit()
	labtest.Need(t, err)
	if own.Retries == 3 {
		t.Skip("this namespace has the value that the test sets in another")
	}
	theirs := Limit{3, 3 * time.Second}
	for range 20 { // On whatever threads.
		labtest.Need(t, Within(p.Process.Pid, func() error {
			if l, err := SystemLimit(); err != nil || l != theirs {
				t.Errorf("within: %+v, %v, want %+v", l, err, theirs)
			}
			return nil
		}))
		if l, err := SystemLimit(); err != nil || l != own {
			t.Fatalf("afterwards: %+v, %v, want %+v", l, err, own)
		}
	}
	c, err := Take(&Query{PIDs: []int{p.Process.Pid}, Listen: true, Limits: true})
	labtest.Need(t, err)
	if len(c.Sockets) != 1 || c.Sockets[0].Limit == nil || *c.Sockets[0].Limit != theirs {
		t.Errorf("%+v, want the limit %v", c.Sockets, theirs)
	}
	fails := errors.New("fails")
	if err := Within(p.Process.Pid, func() error { return fails }); err != fails {
		t.Errorf("Within = %v, want what the function returns", err)
	}
	if err := Within(1<<22+1, func() error { return nil }); err == nil || err.Error() != "process 4194305: no such process" {
		t.Errorf("Within of no process: %v", err)
	}
	number, _ := namespaceOf("/proc/self")
	thread(func() {
		if err := enter("/proc/"+p.PID()+"/ns/net", number); !errors.Is(err, errChanged) {
			t.Errorf("enter of another namespace: %v", err)
		}
	})
}

// enterProgram enters the namespace of the process in its argument.
var enterProgram = labtest.NewProgram("enter", func() int {
	var pid int
	fmt.Sscan(os.Args[1], &pid)
	fmt.Println(Within(pid, func() error { return nil }))
	return 0
})

// TestWithinDenied runs as a user who may not enter.
func TestWithinDenied(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	h := labtest.NewHost(t)
	root := sleeping(t, h.Start)
	dir, err := os.MkdirTemp("", "tcpopt")
	labtest.Need(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	labtest.Need(t, os.Chmod(dir, 0o755))
	exe := dir + "/enter"
	labtest.Need(t, exec.Command("cp", fmt.Sprintf("/proc/%d/exe", os.Getpid()), exe).Run())
	as := func(cmd *exec.Cmd) error {
		cmd.Path = exe
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return cmd.Start()
	}
	theirs := sleeping(t, as)
	for pid, want := range map[string]string{
		root.PID():   "process " + root.PID() + ": its namespaces may not be seen: it belongs to another user, is not dumpable or has more capabilities than this process, which needs CAP_SYS_PTRACE, as root has it",
		theirs.PID(): "process " + theirs.PID() + ": entering its network namespace takes CAP_SYS_ADMIN, here and where the namespace was made, as root has it: run this as root, or nsenter --net --target " + theirs.PID() + " tcpopt defaults",
	} {
		if got := labtest.Start(t, enterProgram.Command(pid), as).Line(t); got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	}
}

// TestFaultSystemLimit measures that the kernel gives up data in flight no sooner than
// the limit.
func TestFaultSystemLimit(t *testing.T) {
	l := labtest.NewLab(t)
	setRetries(t, l.Near, 2)
	var limit Limit
	labtest.Need(t, l.Near.Do(func() (err error) { limit, err = SystemLimit(); return err }))
	near, far := l.Connect(t, false)
	if _, err := far.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := near.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	labtest.Need(t, l.Cable.Cut())
	start := time.Now()
	if _, err := near.Write([]byte("b")); err != nil {
		t.Fatal(err)
	}
	near.SetReadDeadline(start.Add(time.Minute))
	_, err := near.Read(make([]byte, 1))
	took := time.Since(start)
	if !tcpopt.IsDeadPeer(err) || took < limit.Least || limit.Least != 1400*time.Millisecond {
		t.Errorf("%v after %v, want a dead peer after at least %v", err, took, limit.Least)
	}
	t.Logf("given up after %v, at least %v", took, limit.Least)
}
