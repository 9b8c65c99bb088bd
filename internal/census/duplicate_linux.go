package census

import (
	"errors"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
)

// Visit reads s again and, if it is still the same socket, calls act with its present
// state. Visit holds a duplicate of the owner's descriptor meanwhile, so act should be
// quick and wait for nothing. Then s has the state after act or, if Visit fails, is
// unchanged.
func (s *Socket) Visit(act func(now *Socket, sock tcpopt.Socket)) error {
	o := owner{pid: s.PID, tid: s.TID}
	if err := o.open(); err != nil {
		return err
	}
	defer unix.Close(o.pidfd)
	r := reading{queue: true}
	r.expectConnect(s.State, s.NetNS)
	raw := &rawDescriptor{}
	sock := tcpopt.FromRawConn(raw)
	now := *s
	runtime.LockOSThread() // undisturbed sets the policy of one thread.
	defer runtime.UnlockOSThread()
	r.tid = unix.Gettid()
	deferStops()
	defer boundCloses()()
	defer undisturbed()()
	err := r.duplicate(o.pidfd, s.FD, s.Inode, func(fd uintptr) {
		raw.fd = fd
		r.fill(&now)
		act(&now, sock)
	})
	if err == nil {
		r.fill(s)
	}
	return err
}

// A reading is what is read while a duplicate is held, in the kernel's form. One
// reading serves many sockets, since nothing may be allocated meanwhile.
type reading struct {
	tid      int  // of the thread, for closeDuplicate
	queue    bool // also ask for the pending bytes
	stat     unix.Stat_t
	protocol int32  // 0: to be asked
	connects bool   // also ask how often a SYN is repeated
	linear   int    // as for connectEnd
	usual    int32  // the system's retries
	retries  int32  // as for connectEnd
	scoped   bool   // also ask for the device of a link-local address
	scope    uint32 // its index; 0: none
	name     unix.RawSockaddrInet6
	values   [len(readRows)]int32 // times in seconds
	timeout  int32                // milliseconds
	pending  int32
	info     unix.TCPInfo
	paths    paths
	infoSize uint32 // how much of info the kernel has filled
	size     uint32
	untimed  bool   // it has no user timeout
	call     string // the call that failed
	err      error
	held     time.Duration
}

// errChanged says that the descriptor is closed or is something else by now.
var errChanged = errors.New("the descriptor was closed or is something else by now")

// IsGone reports whether err, from Visit, means that the process has closed the
// descriptor or has ended.
func IsGone(err error) bool { return errors.Is(err, errChanged) || isGone(err) }

// duplicate reads the socket with this inode through a duplicate of the process's
// descriptor fd. If that succeeds and act is not nil, it calls act with the duplicate
// and reads the socket again.
//
// From pidfd_getfd(2) to close(2) it only makes system calls that do not wait, without
// allocation, lock or output. The close lets other goroutines run, since it may wait as
// the owner's SO_LINGER says.
func (r *reading) duplicate(pidfd, fd int, inode uint32, act func(fd uintptr)) error {
	err := r.hold(pidfd, fd, inode, act)
	if errno, ok := err.(unix.Errno); ok {
		return &callError{r.call, errno}
	}
	return err
}

func (r *reading) hold(pidfd, fd int, inode uint32, act func(fd uintptr)) error {
	holding.Lock()
	defer holding.Unlock()
	start := time.Now()
	dup, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		if err == unix.EBADF {
			return errChanged
		}
		r.call = "pidfd_getfd"
		return err
	}
	r.err = r.read(dup, inode)
	if act != nil && r.err == nil {
		act(uintptr(dup))
		r.err = r.read(dup, inode)
	}
	closeDuplicate(dup, r.tid)
	r.held = time.Since(start)
	return r.err
}

// read reads a duplicate. The first row fails if it is not a socket, before fstat,
// which may wait for a file system. The others fail if it is not TCP.
func (r *reading) read(fd int, inode uint32) error {
	r.call = "getsockopt"
	for i := range readRows {
		switch errno := r.get(fd, readRows[i].level, readRows[i].name, &r.values[i]); errno {
		case 0:
		case unix.ENOTSOCK, unix.ENOPROTOOPT, unix.EOPNOTSUPP:
			return errChanged
		default:
			return errno
		}
	}
	if err := unix.Fstat(fd, &r.stat); err != nil {
		r.call = "fstat"
		return err
	}
	if uint64(r.stat.Ino) != uint64(inode) {
		return errChanged
	}
	if r.protocol == 0 {
		if errno := r.get(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL, &r.protocol); errno != 0 {
			return errno
		}
	}
	errno := r.get(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, &r.timeout)
	r.untimed = errno == unix.ENOPROTOOPT || errno == unix.EOPNOTSUPP
	if errno != 0 && !r.untimed {
		return errno
	}
	if r.scoped {
		r.readScope(fd)
	}
	if r.connects && r.get(fd, unix.IPPROTO_TCP, unix.TCP_SYNCNT, &r.retries) != 0 {
		r.retries = r.usual
	}
	r.infoSize, r.pending, r.paths.number = 0, 0, 0
	if r.protocol == unix.IPPROTO_MPTCP {
		// While it speaks multipath TCP, TCP_INFO describes one path only.
		var n int32
		if errno := r.get(fd, unix.SOL_MPTCP, mptcpInfo, &n); errno != unix.EOPNOTSUPP {
			r.readPaths(fd)
			r.readPending(fd)
			return nil
		}
	}
	r.size = uint32(unsafe.Sizeof(r.info))
	if _, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&r.info)), uintptr(unsafe.Pointer(&r.size)), 0); errno == 0 {
		r.infoSize = r.size
	}
	r.readPending(fd)
	return nil
}

// expectConnect prepares r for a socket in this state and namespace.
func (r *reading) expectConnect(state string, ns uint64) {
	if r.connects = state == StateConnect; r.connects {
		r.linear, r.usual = connectSettings(ns)
	}
}

// readScope asks for the device of whichever end has a link-local address.
func (r *reading) readScope(fd int) {
	r.scope = 0
	for _, call := range [...]uintptr{unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME} {
		r.name.Scope_id, r.size = 0, uint32(unsafe.Sizeof(r.name))
		_, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&r.name)), uintptr(unsafe.Pointer(&r.size)))
		if errno == 0 && r.size == uint32(unsafe.Sizeof(r.name)) && r.name.Scope_id != 0 {
			r.scope = r.name.Scope_id
			return
		}
	}
}

// readRows are the options of every TCP socket, in the order of reading.values.
var readRows = [...]struct{ level, name uintptr }{
	{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
	{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
	{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
	{unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
}

// get is getsockopt(2), raw, so that no other goroutine gets the processor.
func (r *reading) get(fd int, level, name uintptr, value *int32) unix.Errno {
	r.size = 4
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), level, name,
		uintptr(unsafe.Pointer(value)), uintptr(unsafe.Pointer(&r.size)), 0)
	return errno
}

// mptcpInfo is MPTCP_INFO of the kernel's include/uapi/linux/mptcp.h.
const mptcpInfo = 1

// mptcpTCPInfo is MPTCP_TCPINFO of the same, from Linux 5.16 on.
const mptcpTCPInfo = 2

// paths are struct mptcp_subflow_data of the same, and what follows it. The kernel has
// at most eight paths.
type paths struct {
	size, number, kernelSize, infoSize uint32
	info                               [8]unix.TCPInfo
}

// readPaths asks for the counters of each path of multipath TCP, before a change.
func (r *reading) readPaths(fd int) {
	if !r.queue {
		return
	}
	p := &r.paths
	p.size, p.number, p.kernelSize, p.infoSize = uint32(unsafe.Offsetof(p.info)), 0, 0, uint32(unsafe.Sizeof(p.info[0]))
	r.size = uint32(unsafe.Sizeof(*p))
	if _, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_MPTCP, mptcpTCPInfo,
		uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&r.size)), 0); errno != 0 {
		p.number = 0
	}
}

// readPending asks with SIOCOUTQ, which listening sockets refuse.
func (r *reading) readPending(fd int) {
	if !r.queue && r.protocol == unix.IPPROTO_TCP {
		return // The tables have it.
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCOUTQ, uintptr(unsafe.Pointer(&r.pending))); errno != 0 {
		r.pending = -1
	}
}

// fill writes what was read to s.
func (r *reading) fill(s *Socket) {
	s.Protocol = "tcp"
	if r.protocol == unix.IPPROTO_MPTCP {
		s.Protocol = "mptcp"
	}
	s.Config = tcpopt.Config{
		KeepAlive: tcpopt.SwitchOf(r.values[0] != 0),
		Idle:      time.Duration(r.values[1]) * time.Second,
		Interval:  time.Duration(r.values[2]) * time.Second,
		Count:     int(r.values[3]),
	}
	if s.HasUserTimeout = !r.untimed; s.HasUserTimeout {
		s.Config.UserTimeout = time.Duration(r.timeout) * time.Millisecond
	}
	s.Connect = 0
	if r.connects && (r.infoSize == 0 || r.info.State == unix.BPF_TCP_SYN_SENT) {
		s.Connect = connectEnd(int(r.retries), r.linear, s.Config.UserTimeout)
	}
	s.HasPending = s.State != StateListen
	if r.queue || r.protocol != unix.IPPROTO_TCP {
		s.HasPending = r.pending >= 0
		s.Pending = uint64(max(0, r.pending))
	}
	s.Held = r.held
	s.Counted, s.Probes, s.Heard, s.Silence, s.Acked, s.Stuck, s.Shut = false, 0, false, 0, 0, false, false
	s.Paths, s.PathProbes, s.PathSilence = 0, 0, 0
	for i := range min(int(r.paths.number), len(r.paths.info)) {
		info := &r.paths.info[i]
		s.Paths++
		s.PathProbes = max(s.PathProbes, int(info.Probes))
		s.PathSilence = max(s.PathSilence, time.Duration(min(info.Last_data_recv, info.Last_ack_recv))*time.Millisecond)
	}
	// What a kernel does not fill is left over from another socket.
	fills := func(field uintptr, size uintptr) bool { return uintptr(r.infoSize) >= field+size }
	if s.State == StateListen || !fills(unsafe.Offsetof(r.info.Bytes_acked), 8) {
		return
	}
	s.Counted = true
	if int(r.info.State) < len(states) {
		s.State = states[r.info.State]
	}
	s.Probes = int(r.info.Probes)
	// Before the peer sends anything, the kernel counts from its own start.
	if s.Heard = r.info.State != unix.BPF_TCP_SYN_SENT; s.Heard {
		s.Silence = time.Duration(min(r.info.Last_data_recv, r.info.Last_ack_recv)) * time.Millisecond
	}
	s.Acked = r.info.Bytes_acked
	s.Stuck = s.Pending > 0 && r.info.Retransmits > 0
	established := s.State == "established" || s.State == "close-wait"
	if fills(unsafe.Offsetof(r.info.Snd_wnd), 4) {
		s.Shut = established && r.info.Snd_wnd == 0
	} else { // Before Linux 5.4; without data in flight these probes are for the window.
		s.Shut = established && s.Pending > 0 && s.Probes > 0 && r.info.Unacked == 0
	}
}

// undisturbed keeps other programs from taking the processor from this thread, which
// will hold descriptors, until the function it returns is called. Otherwise a busy
// machine sometimes holds a duplicate for a hundred milliseconds (seen on 6.18). This
// needs CAP_SYS_NICE; without it nothing changes.
func undisturbed() func() {
	before, err := unix.SchedGetAttr(0, 0)
	if err != nil || before.Policy != unix.SCHED_NORMAL {
		return func() {}
	}
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: before.Size, Policy: unix.SCHED_FIFO, Priority: 1}, 0); err != nil {
		return func() {}
	}
	before.Runtime = 0 // The system's slice, from Linux 6.12 on.
	return func() { unix.SchedSetAttr(0, before, 0) }
}

// A rawDescriptor is a syscall.RawConn.
type rawDescriptor struct{ fd uintptr }

func (r *rawDescriptor) Control(f func(uintptr)) error { f(r.fd); return nil }

func (r *rawDescriptor) Read(func(uintptr) bool) error  { return unix.EOPNOTSUPP }
func (r *rawDescriptor) Write(func(uintptr) bool) error { return unix.EOPNOTSUPP }
