package census

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// descriptor returns the descriptor and inode of a socket of this process.
func descriptor(t testing.TB, c syscall.Conn) (fd int, inode uint32) {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if cerr := rc.Control(func(f uintptr) { fd = int(f); err = unix.Fstat(fd, &st) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return fd, uint32(st.Ino)
}

// take takes a census, which must succeed, and returns the sockets of this process with
// these descriptors.
func take(t testing.TB, q Query, fds ...int) (*Census, []Socket) {
	t.Helper()
	c, err := Take(&q)
	if err != nil {
		t.Fatalf("Take(%+v): %v", q, err)
	}
	var ours []Socket
	for _, s := range c.Sockets {
		if s.PID == os.Getpid() && slices.Contains(fds, s.FD) {
			ours = append(ours, s)
		}
	}
	return c, ours
}

// TestTake takes a census of this process.
func TestTake(t *testing.T) {
	needsTaking(t)
	l := labtest.Listen(t, nil, labtest.Loopback("tcp4"), false)
	client := labtest.Dial(t, nil, l.Addr().String(), false)
	server, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	config := tcpopt.Config{KeepAlive: tcpopt.On, Idle: 31 * time.Second, Interval: 7 * time.Second, Count: 5, UserTimeout: 12345 * time.Millisecond}
	sock, err := tcpopt.FromConn(client)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sock.Progress(); err != nil {
		t.Skipf("no counters here: %v", err)
	}
	if err := sock.SetConfig(config); err != nil {
		t.Fatal(err)
	}
	lfd, _ := descriptor(t, l)
	cfd, inode := descriptor(t, client)
	sfd, _ := descriptor(t, server)
	fds := []int{lfd, cfd, sfd}
	self := []int{os.Getpid()}

	c, ours := take(t, Query{PIDs: self}, fds...)
	if len(ours) != 2 || c.Unowned != nil || len(c.Denied) > 0 {
		t.Fatalf("sockets %+v, unowned %v, denied %v, want both ends", ours, c.Unowned, c.Denied)
	}
	i := slices.IndexFunc(ours, func(s Socket) bool { return s.FD == cfd })
	if i < 0 {
		t.Fatalf("sockets %+v, want one at descriptor %d", ours, cfd)
	}
	got := ours[i]
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	ns, err := namespaceOf("/proc/thread-self")
	if err != nil {
		t.Fatal(err)
	}
	want := Socket{PID: self[0], Command: strings.TrimSuffix(string(comm), "\n"), FD: cfd, Inode: inode, NetNS: ns, Protocol: "tcp",
		Local: addrPort(client.LocalAddr()), Remote: addrPort(client.RemoteAddr()), State: "established",
		Config: config, HasUserTimeout: true, HasPending: true, Counted: true, Heard: true, Silence: got.Silence, Acked: got.Acked, Held: got.Held}
	if got != want {
		t.Errorf("Take has %+v, want %+v", got, want)
	}
	if got.Silence < 0 || got.Silence > time.Minute || got.Held <= 0 || got.Held > time.Second {
		t.Errorf("silent for %v, held for %v", got.Silence, got.Held)
	}

	local, err := ParsePattern(client.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	zero := 0
	for _, tt := range []struct {
		name string
		q    Query
		want []int
	}{
		{"listening too", Query{PIDs: self, Listen: true}, fds},
		{"one descriptor", Query{PIDs: self, FD: &cfd}, []int{cfd}},
		{"a descriptor that listens", Query{PIDs: self, FD: &lfd}, nil},
		{"descriptor 0", Query{PIDs: self, FD: &zero, Listen: true}, nil},
		{"a state", Query{PIDs: self, States: []string{StateListen}, Listen: true}, []int{lfd}},
		{"another state", Query{PIDs: self, States: []string{"close-wait"}}, nil},
		{"a local address", Query{PIDs: self, Local: []Pattern{local}}, []int{cfd}},
		{"a remote address", Query{PIDs: self, Remote: []Pattern{local}}, []int{sfd}},
		{"a command", Query{Commands: []string{"nobodyhasthis", want.Command}}, []int{cfd, sfd}},
		{"any", Query{}, []int{cfd, sfd}},
	} {
		c, ours := take(t, tt.q, fds...)
		var got []int
		for _, s := range ours {
			got = append(got, s.FD)
		}
		slices.Sort(got)
		slices.Sort(tt.want)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: descriptors %d, want %d", tt.name, got, tt.want)
		}
		if any := !tt.q.selects(); any != (c.Unowned != nil) {
			t.Errorf("%s: unowned %v", tt.name, c.Unowned)
		}
	}
	if c, err := Take(&Query{Commands: []string{"nobodyhasthis"}}); c != nil || !errors.As(err, new(*NoProcessError)) {
		t.Errorf("no process: %v, %v, want a NoProcessError", c, err)
	}
	if c, err := Take(&Query{PIDs: []int{1 << 22}}); err != nil || len(c.Denied) != 1 || c.Denied[0].PID != 1<<22 || c.Denied[0].Reason != Gone {
		t.Errorf("no socket: %+v, %v", c, err)
	}
}

func addrPort(a net.Addr) netip.AddrPort { return netip.MustParseAddrPort(a.String()) }

// TestVisit changes a socket of this process like one of another.
func TestVisit(t *testing.T) {
	needsTaking(t)
	client, _ := labtest.Pair(t, "tcp4", false)
	fd, _ := descriptor(t, client)
	_, ours := take(t, Query{PIDs: []int{os.Getpid()}, FD: &fd}, fd)
	if len(ours) != 1 {
		t.Fatalf("sockets %+v, want one", ours)
	}
	s := ours[0]
	before := s
	sock, err := tcpopt.FromConn(client)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sock.Progress(); err != nil {
		t.Skipf("no counters here: %v", err)
	}
	if err := sock.SetKeepAliveCount(before.Config.Count + 1); err != nil {
		t.Fatal(err)
	}
	calls := 0
	err = s.Visit(func(now *Socket, sock tcpopt.Socket) {
		calls++
		if now.Config.Count != before.Config.Count+1 || now.Config.Idle != before.Config.Idle || now.Inode != before.Inode || s != before {
			t.Errorf("now %+v, s %+v, before %+v", now, s, before)
		}
		if err := sock.SetKeepAliveCount(before.Config.Count + 2); err != nil {
			t.Error(err)
		}
	})
	if err != nil || calls != 1 {
		t.Fatalf("Visit: %v after %d calls", err, calls)
	}
	if s.Config.Count != before.Config.Count+2 || !s.Heard || s.Held <= 0 {
		t.Errorf("after a visit, %+v", s)
	}

	client.Close()
	after := s
	if err := s.Visit(func(*Socket, tcpopt.Socket) { t.Error("called for a closed socket") }); err != errChanged {
		t.Errorf("Visit of a closed socket: %v, want %v", err, errChanged)
	}
	if s != after {
		t.Errorf("after a failed visit, %+v, want %+v", s, after)
	}
	s.PID = 1 << 22
	if err := s.Visit(nil); err == nil || !strings.HasPrefix(err.Error(), "pidfd_open: ") {
		t.Errorf("Visit of no process: %v", err)
	}
}

var sleepProgram = labtest.NewProgram("sleep", func() int {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	l.Close()
	return 0
})

// sleeping starts sleepProgram with start, or skips the test.
func sleeping(t testing.TB, start func(*exec.Cmd) error, args ...string) *labtest.Process {
	t.Helper()
	p := labtest.Start(t, sleepProgram.Command(args...), func(cmd *exec.Cmd) error {
		if err := start(cmd); err != nil {
			t.Skipf("cannot start programs here: %v", err)
		}
		return nil
	})
	p.Line(t)
	return p
}

// TestEnded has a process that ends between being found and being read. If its number
// was asked for, it is a Denial; otherwise it is not in the census.
func TestEnded(t *testing.T) {
	needsTaking(t)
	p := sleeping(t, (*exec.Cmd).Start)
	own, err := namespaceOf("/proc/thread-self")
	labtest.Need(t, err)
	for _, tt := range []struct {
		name string
		q    Query
		want []Denial
	}{
		{"asked for", Query{PIDs: []int{p.Process.Pid}, Listen: true}, []Denial{{PID: p.Process.Pid, Reason: Ended, Call: "pidfd_open"}}},
		{"of all", Query{Listen: true}, nil},
	} {
		tk := &taker{query: &tt.q, tables: newTables(own, ownedStates)}
		labtest.Need(t, tk.tables.load(own, "/proc/thread-self"))
		owners := tk.find(p.Process.Pid)
		if len(owners) != 1 {
			t.Fatalf("%s: owners are %v, denied %v, want one owner", tt.name, owners, tk.Denied)
		}
		tk.reads = true
		// No pidfd, as if the process had ended now.
		ended := &owner{pid: owners[0].pid, pidfd: -1}
		err := &callError{"pidfd_open", unix.ESRCH}
		batches := make(chan batch, 1)
		batches <- batch{owner: ended, err: err, last: true}
		close(batches)
		tk.readAll(batches)
		var got []Denial
		for _, d := range tk.Denied {
			d.Command, d.Err = "", nil
			got = append(got, d)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: denied are %v, want %v", tt.name, got, tt.want)
		}
	}
}
