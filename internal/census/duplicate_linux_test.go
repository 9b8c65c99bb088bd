package census

import (
	"net"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

var needsTaking = labtest.NeedTaking

// TestTakingAllocatesNothing counts allocations while a duplicate is held.
func TestTakingAllocatesNothing(t *testing.T) {
	needsTaking(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	rc, _ := l.(*net.TCPListener).SyscallConn()
	var fd int
	var st unix.Stat_t
	rc.Control(func(f uintptr) { fd = int(f); unix.Fstat(fd, &st) })
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	var r reading
	if n := testing.AllocsPerRun(100, func() {
		if err := r.duplicate(pidfd, fd, uint32(st.Ino), nil); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	if err := r.duplicate(pidfd, fd, uint32(st.Ino)+1, nil); err != errChanged {
		t.Errorf("another inode: %v", err)
	}
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	rc, _ = u.(*net.UDPConn).SyscallConn()
	rc.Control(func(f uintptr) { fd = int(f); unix.Fstat(fd, &st) })
	if err := r.duplicate(pidfd, fd, uint32(st.Ino), nil); err != errChanged {
		t.Errorf("UDP: %v", err)
	}
	if err := r.duplicate(pidfd, pidfd, 1, nil); err != errChanged {
		t.Errorf("no socket: %v", err)
	}
	if err := r.duplicate(pidfd, 1<<20, 1, nil); err != errChanged {
		t.Errorf("no descriptor: %v", err)
	}
}

// TestUndisturbed has a nice thread, which must be as nice afterwards.
func TestUndisturbed(t *testing.T) {
	runtime.LockOSThread() // Never unlocked: the thread ends with the test.
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 5); err != nil {
		t.Fatal(err)
	}
	policy := func() unix.SchedAttr {
		attr, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			t.Skipf("no scheduling policies here: %v", err)
		}
		return *attr
	}
	before := policy()
	calm := undisturbed()
	during := policy()
	calm()
	if after := policy(); after != before || after.Nice != 5 {
		t.Errorf("afterwards %+v, before %+v", after, before)
	}
	if during == before {
		t.Skip("no CAP_SYS_NICE")
	}
	if during.Policy != unix.SCHED_FIFO {
		t.Errorf("undisturbed is %+v", during)
	}
}
