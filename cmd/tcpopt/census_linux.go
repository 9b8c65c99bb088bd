package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
)

// takeCensus looks at the sockets that q wants. The error is of what forbids a
// census altogether; what it could not see is in the census.
//
// A descriptor taken by pidfd_getfd(2) is the owner's open socket: while it is
// held, the owner's close sends no FIN and a closed listener keeps its port. So
// one is held at a time and for a few system calls, only of a socket that the
// kernel's tables have as TCP, and whatever can be done before or after is.
func takeCensus(q *query) (*census, error) {
	// The little that a census takes is not worth collecting, and no collector is
	// to stop this while it holds a descriptor.
	percent := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(percent)
	t := &taker{query: q, states: owned, index: map[uint32]int32{}, spaces: map[uint64]*space{}}
	t.unowned = -1
	all, err := numbers("/proc")
	if err != nil {
		return nil, err
	}
	pids := slices.Clone(q.pids)
	if len(pids) == 0 {
		pids = all
	}
	slices.Sort(pids)
	own, err := namespaceOf("/proc/thread-self")
	if err != nil {
		return nil, fmt.Errorf("this needs /proc: %w", err)
	}
	t.own, t.class = own, netClass("self")

	// The tables come first: a socket that is made from here on is none of this
	// census, and one that they have and nobody lists has an owner elsewhere.
	if err := t.load(own, "/proc/thread-self"); err != nil {
		return nil, err
	}
	var readable []int
	for _, pid := range pids {
		if t.find(pid) {
			readable = append(readable, pid)
		}
	}
	if t.command != "" && len(readable)+len(t.denied) == 0 {
		return nil, fmt.Errorf("no process is named %s", printable(t.command))
	}
	t.sockets = make([]tcpSocket, 0, min(len(t.entries), 1<<14))
	visit := func(pids []int) {
		if len(t.entries) > 20000 {
			debug.SetGCPercent(percent)
		}
		batches := make(chan batch, 4)
		go t.list(pids, batches)
		t.take(batches)
	}
	visit(readable)

	// A process may have been given a socket of where others are. Most were not, and
	// with many namespaces it takes long.
	missing := slices.DeleteFunc(t.missing, func(pid int) bool {
		return slices.ContainsFunc(t.denied, func(d denial) bool { return d.pid == pid })
	})
	if len(missing) > 0 {
		for _, pid := range all {
			t.enter("/proc/" + strconv.Itoa(pid))
		}
		visit(missing)
		slices.SortStableFunc(t.sockets, func(a, b tcpSocket) int { return a.pid - b.pid })
	}
	return &t.census, t.err
}

// A taker takes a census.
type taker struct {
	*query
	census
	own     uint64           // the network namespace of this process
	class   string           // its net_cls and net_prio groups
	states  uint32           // those of interest, a bit each
	entries []entry          // the kernel's tables
	index   map[uint32]int32 // entries by inode; inodes are unique across namespaces
	spaces  map[uint64]*space
	missing []int // processes that are selected and have TCP sockets which no table has
	look    look
	err     error // of list
}

// A space is a network namespace whose tables were read.
type space struct{ err error }

// An entry is a TCP socket in the kernel's tables.
type entry struct {
	inode         uint32
	protocol      uint16 // 0: the table does not tell TCP from multipath TCP
	state         uint8
	owned         bool   // a process that was read has it
	taken         bool   // and was asked
	queue         uint32 // bytes that the peer has not acknowledged
	netns         uint64
	local, remote netip.AddrPort
}

// wants reports whether the socket, however it is owned, is wanted.
func (q *query) wants(local, remote netip.AddrPort, state string) bool {
	return (state != "listen" || q.listen) && (q.state == "" || q.state == state) &&
		q.local.match(local) && q.remote.match(remote)
}

// named reports whether processes of that command are wanted. The kernel keeps
// 15 bytes of a command.
func (q *query) named(command string) bool {
	return q.command == "" || q.command[:min(len(q.command), 15)] == command
}

// selects reports whether processes are selected.
func (q *query) selects() bool { return len(q.pids) > 0 || q.command != "" }

// numbers returns the processes that /proc shows, or the threads that the
// directory task of one of them does.
func numbers(dir string) ([]int, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	all := make([]int, 0, len(names))
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			all = append(all, n)
		}
	}
	return all, err
}

// namespaceOf reads which network namespace dir, a thread of /proc, is in. That
// may be read of the processes whose descriptors may be listed.
func namespaceOf(dir string) (uint64, error) {
	link, err := os.Readlink(dir + "/ns/net")
	if err != nil {
		return 0, err
	}
	number, ok := inBrackets(link, "net:[")
	n, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("%s/ns/net is %q", dir, link)
	}
	return n, nil
}

func inBrackets(link, prefix string) (string, bool) {
	s, ok := strings.CutPrefix(link, prefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, "]")
}

// find reads the tables of the namespaces of a process's threads, and reports
// whether the process is wanted and may be read.
func (t *taker) find(pid int) bool {
	dir := "/proc/" + strconv.Itoa(pid)
	if t.command != "" {
		command, err := os.ReadFile(dir + "/comm")
		if err != nil && len(t.pids) > 0 {
			t.deny(pid, err)
		}
		if err != nil || !t.named(strings.TrimSuffix(string(command), "\n")) {
			return false
		}
	}
	if err := t.enter(dir); err != nil {
		t.deny(pid, err)
		return false
	}
	threads, _ := numbers(dir + "/task") // If it is gone, its descriptors are too.
	for _, thread := range threads {
		if err := t.enter(dir + "/task/" + strconv.Itoa(thread)); err != nil && !isGone(err) {
			t.deny(pid, err)
			break
		}
	}
	return true
}

// enter reads the tables of the namespace that dir, a thread of /proc, is in.
func (t *taker) enter(dir string) error {
	ns, err := namespaceOf(dir)
	if err != nil {
		return err
	}
	return t.load(ns, dir)
}

// deny counts a process that could not be read. What has no descriptors is not
// worth counting, unless it was asked for.
func (t *taker) deny(pid int, err error) {
	if len(t.pids) == 0 && lifeless(pid) {
		return
	}
	d := denial{pid: pid, err: err}
	switch {
	case isGone(err):
		d.reason = gone
	case errors.Is(err, unix.ENOSYS):
		d.reason = kernelTooOld
	case err == errForbidden:
		d.reason = forbidden()
	case err == errClass:
		d.reason = foreignClass
	case errors.Is(err, fs.ErrPermission):
		d.reason = listingDenied
	default:
		d.reason = unexpected
	}
	t.denied = append(t.denied, d)
}

func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// lifeless reports whether a process is a thread of the kernel (PF_KTHREAD of
// its include/linux/sched.h) or has ended and was not waited for.
func lifeless(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 7 {
		return false
	}
	flags, _ := strconv.ParseUint(fields[6], 10, 32)
	return flags&0x00200000 != 0 || fields[0] == "Z" || fields[0] == "X"
}

// A batch is sockets of one process that are wanted, or why it has no more.
type batch struct {
	*owner
	sockets []listed
	err     error
	last    bool
}

// An owner is a process whose sockets are taken.
type owner struct {
	pid, pidfd int
	command    string
	over       bool // for the taker: its descriptors are denied
}

type listed struct {
	fd    int
	entry int32
}

// batchSize is how many descriptors are listed before the first is taken.
const batchSize = 256

// list lists the sockets that are wanted, while those before are taken.
func (t *taker) list(pids []int, batches chan<- batch) {
	defer close(batches)
	buf := make([]byte, 1<<15)
	var names []string
	for _, pid := range pids {
		o := &owner{pid: pid}
		var err error
		// First of all, so that a descriptor is never another process's.
		if o.pidfd, err = unix.PidfdOpen(pid, 0); err != nil {
			o.pidfd = -1
			switch err {
			case unix.EINVAL, unix.ENOENT: // A thread that leads no process.
				err = unix.ESRCH
			case unix.EPERM:
				err = errForbidden
			}
		} else {
			names, err = t.listOne(o, buf, names[:0], batches)
		}
		batches <- batch{owner: o, err: err, last: true}
	}
	if !t.selects() {
		t.unowned, t.err = t.countUnowned()
	}
}

// errForbidden is that descriptors may not be taken.
var errForbidden = errors.New("taking descriptors is forbidden")

// errClass is that taking descriptors would change the class of the sockets.
var errClass = errors.New("another net_cls or net_prio cgroup")

func (t *taker) listOne(o *owner, buf []byte, names []string, batches chan<- batch) ([]string, error) {
	pid := strconv.Itoa(o.pid)
	fds, err := unix.Open("/proc/"+pid+"/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return names, err
	}
	defer unix.Close(fds)
	if names, err = readNames(fds, buf, names); err != nil {
		return names, err
	}
	var sockets []listed
	missing := false
	link := make([]byte, 64)
	for _, name := range names {
		n, err := unix.Readlinkat(fds, name, link)
		if err == unix.ENOENT { // Closed since it was listed.
			continue
		} else if err != nil {
			return names, err
		}
		inode, ok := socketInode(link[:n])
		if !ok {
			continue
		}
		i, ok := t.index[inode]
		if !ok { // Not TCP, or not when the tables were read, or of a namespace that was not.
			missing = missing || t.selects() && mayBeTCP(pid, name)
			continue
		}
		e := &t.entries[i]
		e.owned = true
		fd, err := strconv.Atoi(name)
		if err != nil || t.fd >= 0 && t.fd != fd || !t.wants(e.local, e.remote, states[e.state]) {
			continue
		}
		if o.command == "" {
			text, err := os.ReadFile("/proc/" + pid + "/comm")
			if err != nil {
				return names, err
			}
			o.command = strings.TrimSuffix(string(text), "\n")
			if !t.force && netClass(pid) != t.class {
				return names, errClass
			}
		}
		if sockets = append(sockets, listed{fd, i}); len(sockets) == batchSize {
			batches <- batch{owner: o, sockets: sockets}
			sockets = make([]listed, 0, batchSize)
		}
	}
	if len(sockets) > 0 {
		batches <- batch{owner: o, sockets: sockets}
	}
	if missing {
		t.missing = append(t.missing, o.pid)
	}
	return names, nil
}

// mayBeTCP reports whether a process's socket is one of TCP, as far as the name
// tells that the kernel gives it.
func mayBeTCP(pid, fd string) bool {
	name := make([]byte, 32)
	n, err := unix.Getxattr("/proc/"+pid+"/fd/"+fd, "system.sockprotoname", name)
	if err != nil {
		return err != unix.ENOENT
	}
	return bytes.Contains(name[:n], []byte("TCP"))
}

// take takes the sockets that are listed, one at a time. A socket that several
// processes share is taken of the first that lets it.
func (t *taker) take(batches <-chan batch) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for b := range batches {
		calm := func() {}
		if len(b.sockets) > 0 {
			calm = undisturbed()
		}
		for _, l := range b.sockets {
			e := &t.entries[l.entry]
			if e.taken || b.over {
				continue
			}
			t.look.protocol = int32(e.protocol)
			switch err := t.look.take(b.pidfd, l.fd, e.inode, nil); err {
			case nil:
				e.taken = true
				t.sockets = append(t.sockets, tcpSocket{pid: b.pid, command: b.command, fd: l.fd, inode: e.inode,
					netns: e.netns, local: e.local, remote: e.remote, state: states[e.state], pending: uint64(e.queue)})
				t.look.tell(&t.sockets[len(t.sockets)-1])
			case errChanged:
			case unix.EPERM, unix.EACCES:
				b.over = true
				t.deny(b.pid, errForbidden)
			default:
				b.over = true
				t.deny(b.pid, err)
			}
		}
		calm()
		if b.err != nil && !b.over {
			t.deny(b.pid, b.err)
		}
		if b.last && b.pidfd >= 0 {
			unix.Close(b.pidfd)
		}
	}
}

// undisturbed keeps other programs from taking the processor from this thread,
// which is to hold descriptors, until the function it returns is called. On a busy
// machine it would sometimes be for a hundred milliseconds that a duplicate is
// held (seen on 6.18). It takes CAP_SYS_NICE; without it nothing changes.
func undisturbed() func() {
	before, err := unix.SchedGetAttr(0, 0)
	if err != nil || before.Policy != unix.SCHED_NORMAL {
		return func() {}
	}
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: before.Size, Policy: unix.SCHED_FIFO, Priority: 1}, 0); err != nil {
		return func() {}
	}
	before.Runtime = 0 // The slice that the system gives, from Linux 6.12 on.
	return func() { unix.SchedSetAttr(0, before, 0) }
}

// readNames appends the names in a directory.
func readNames(dir int, buf []byte, names []string) ([]string, error) {
	for {
		n, err := unix.ReadDirent(dir, buf)
		switch {
		case err == unix.EINTR:
		case n <= 0 || err != nil:
			return names, err
		default:
			_, _, names = unix.ParseDirent(buf[:n], -1, names)
		}
	}
}

// unwrapErrno is the errno in err, which compares with ==.
func unwrapErrno(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// socketInode reads "socket:[1234]".
func socketInode(link []byte) (uint32, bool) {
	const prefix = "socket:["
	if len(link) <= len(prefix) || string(link[:len(prefix)]) != prefix {
		return 0, false
	}
	var n uint64
	for _, c := range link[len(prefix) : len(link)-1] {
		if c < '0' || c > '9' || n > 1<<32 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return uint32(n), n>>32 == 0 && n != 0
}

// forbidden tells what forbids taking a descriptor of a process whose
// descriptors may be listed.
func forbidden() reason {
	if pidfd, err := unix.PidfdOpen(os.Getpid(), 0); err == nil {
		defer unix.Close(pidfd)
		fd, err := unix.PidfdGetfd(pidfd, pidfd, 0)
		if err != nil { // Nothing else forbids a process its own.
			return takingSeccomp
		}
		unix.Close(fd)
	}
	if scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && !bytes.HasPrefix(scope, []byte("0")) {
		return takingYama
	}
	return takingDenied
}

// explain says which right it takes.
func (d denial) explain() string {
	switch d.reason {
	case gone:
		return "no such process"
	case listingDenied:
		status, err := os.ReadFile("/proc/" + strconv.Itoa(d.pid) + "/status")
		if err != nil {
			return "no such process"
		}
		_, uid, _ := strings.Cut(string(status), "\nUid:\t")
		uid, _, _ = strings.Cut(uid, "\t")
		if uid == strconv.Itoa(os.Getuid()) {
			return "its descriptors may not be listed: it is not dumpable or has more capabilities than this process, which needs CAP_SYS_PTRACE, as root has it"
		}
		return "its descriptors may not be listed: it belongs to user " + uid + ", and this process needs CAP_SYS_PTRACE, as root has it"
	}
	if d.reason == unexpected {
		return d.err.Error()
	}
	return d.reason.text()
}

// netClass is the groups of a process that the kernel stamps on the sockets
// whose descriptors it gets: net_cls and net_prio of cgroup v1.
func netClass(pid string) string {
	text, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		return ""
	}
	return netGroups(string(text))
}

func netGroups(cgroup string) string {
	var groups []string
	for line := range strings.Lines(cgroup) {
		_, line, _ = strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, path, _ := strings.Cut(line, ":")
		for c := range strings.SplitSeq(controllers, ",") {
			if c == "net_cls" || c == "net_prio" {
				groups = append(groups, c+" "+path)
			}
		}
	}
	slices.Sort(groups)
	return strings.Join(groups, "\n")
}

// A look is what is read while a duplicate is held, as the kernel gives it. It is
// used again and again, so that nothing is allocated meanwhile.
type look struct {
	queue    bool // also ask what is pending
	stat     unix.Stat_t
	protocol int32                // 0: to be asked
	values   [len(lookRows)]int32 // times in seconds
	timeout  int32                // milliseconds
	pending  int32
	info     unix.TCPInfo
	infoSize uint32 // 0: not told
	size     uint32
	untimed  bool // no user timeout
	err      error
	held     time.Duration
}

// errChanged is that the descriptor is closed or is something else by now.
var errChanged = errors.New("the descriptor was closed or is another by now")

// take reads the socket with the given inode by the process's descriptor fd. If
// act is not nil, it acts on the duplicate in between and the socket is read
// again; act is not called if the first reading failed.
//
// From pidfd_getfd(2) to close(2) there are only system calls that do not wait,
// no allocation, lock or output. Close is a call that lets others run: it may
// wait as long as the owner's SO_LINGER says.
func (l *look) take(pidfd, fd int, inode uint32, act func(fd uintptr)) error {
	start := time.Now()
	dup, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		if err == unix.EBADF {
			return errChanged
		}
		return err
	}
	l.err = l.read(dup, inode)
	if act != nil && l.err == nil {
		act(uintptr(dup))
		l.err = l.read(dup, inode)
	}
	unix.Close(dup)
	l.held = time.Since(start)
	return l.err
}

// read reads a duplicate. The first row is refused by what is no socket, for fstat
// of a file may wait for its file system; the others by what is not TCP.
func (l *look) read(fd int, inode uint32) error {
	for i := range lookRows {
		switch errno := l.get(fd, lookRows[i].level, lookRows[i].name, &l.values[i]); errno {
		case 0:
		case unix.ENOTSOCK, unix.ENOPROTOOPT, unix.EOPNOTSUPP:
			return errChanged
		default:
			return errno
		}
	}
	if err := unix.Fstat(fd, &l.stat); err != nil || uint64(l.stat.Ino) != uint64(inode) {
		return errChanged
	}
	if l.protocol == 0 {
		if errno := l.get(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL, &l.protocol); errno != 0 {
			return errno
		}
	}
	errno := l.get(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, &l.timeout)
	l.untimed = errno == unix.ENOPROTOOPT || errno == unix.EOPNOTSUPP
	if errno != 0 && !l.untimed {
		return errno
	}
	l.infoSize, l.pending = 0, 0
	if l.protocol == unix.IPPROTO_MPTCP {
		// As long as it speaks it, TCP_INFO is of one path only.
		var n int32
		if errno := l.get(fd, unix.SOL_MPTCP, mptcpInfo, &n); errno != unix.EOPNOTSUPP {
			l.readPending(fd)
			return nil
		}
	}
	l.size = uint32(unsafe.Sizeof(l.info))
	if _, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&l.info)), uintptr(unsafe.Pointer(&l.size)), 0); errno == 0 {
		l.infoSize = l.size
	}
	l.readPending(fd)
	return nil
}

// lookRows are what every TCP socket has, in the order of look.values.
var lookRows = [...]struct{ level, name uintptr }{
	{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
	{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
	{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
	{unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
}

// get is getsockopt(2). Raw, it does not give the processor to another goroutine.
func (l *look) get(fd int, level, name uintptr, value *int32) unix.Errno {
	l.size = 4
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), level, name,
		uintptr(unsafe.Pointer(value)), uintptr(unsafe.Pointer(&l.size)), 0)
	return errno
}

// mptcpInfo is MPTCP_INFO of the kernel's include/uapi/linux/mptcp.h.
const mptcpInfo = 1

// readPending asks with SIOCOUTQ, which listening sockets refuse.
func (l *look) readPending(fd int) {
	if !l.queue && l.protocol == unix.IPPROTO_TCP {
		return // The tables told.
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCOUTQ, uintptr(unsafe.Pointer(&l.pending))); errno != 0 {
		l.pending = 0
	}
}

// tell converts what was read.
func (l *look) tell(s *tcpSocket) {
	s.protocol = "tcp"
	if l.protocol == unix.IPPROTO_MPTCP {
		s.protocol = "mptcp"
	}
	s.config = tcpopt.Config{
		Enable:   l.values[0] != 0,
		Idle:     time.Duration(l.values[1]) * time.Second,
		Interval: time.Duration(l.values[2]) * time.Second,
		Count:    int(l.values[3]),
	}
	if s.hasUserTimeout = !l.untimed; s.hasUserTimeout {
		s.config.UserTimeout = time.Duration(l.timeout) * time.Millisecond
	}
	if l.queue || l.protocol != unix.IPPROTO_TCP {
		s.pending = uint64(max(0, l.pending))
	}
	s.held = l.held
	s.counted, s.probes, s.silence, s.acked, s.stuck, s.shut = false, 0, 0, 0, false, false
	// What a kernel does not fill in is left over from another socket.
	fills := func(field uintptr, size uintptr) bool { return uintptr(l.infoSize) >= field+size }
	if s.state == "listen" || !fills(unsafe.Offsetof(l.info.Bytes_acked), 8) {
		return
	}
	s.counted = true
	s.probes = int(l.info.Probes)
	s.silence = time.Duration(min(l.info.Last_data_recv, l.info.Last_ack_recv)) * time.Millisecond
	if l.info.State == unix.BPF_TCP_SYN_SENT { // It counts from the start of the system.
		s.silence = tcpopt.Unbounded
	}
	s.acked = l.info.Bytes_acked
	s.stuck = s.pending > 0 && l.info.Retransmits > 0
	established := s.state == "established" || s.state == "close-wait"
	if fills(unsafe.Offsetof(l.info.Snd_wnd), 4) {
		s.shut = established && l.info.Snd_wnd == 0
	} else { // Before Linux 5.4; without data in flight these probes are for the window.
		s.shut = established && s.pending > 0 && s.probes > 0 && l.info.Unacked == 0
	}
}

// load adds the tables of a namespace, by a thread dir of /proc that is in it.
func (t *taker) load(ns uint64, dir string) error {
	if s, ok := t.spaces[ns]; ok {
		return s.err
	}
	err := errors.ErrUnsupported
	if ns == t.own {
		err = dump(t.states, func(m *diagMessage, protocol uint32) { t.add(m.entry(protocol)) })
	}
	if err != nil { // Of another namespace, or the kernel has no inet_diag.
		t.drop(ns)
		err = errors.Join(t.loadText(ns, dir+"/net/tcp"), t.loadText(ns, dir+"/net/tcp6"))
	}
	if err == nil || !isGone(err) { // Another thread may be there yet.
		t.spaces[ns] = &space{err}
	}
	return err
}

// add adds an entry, in the place of one with its inode: the paths of a
// multipath connection have its inode, and its own entry comes last.
func (t *taker) add(e entry) {
	if e.inode == 0 {
		return // In no process's hands: TIME_WAIT, or closed and not yet done.
	}
	if states[e.state] == "listen" {
		e.queue = 0 // It is the limit of connections to be accepted.
	}
	if e.netns == 0 {
		e.netns = t.own
	}
	if i, ok := t.index[e.inode]; ok {
		t.entries[i] = e
		return
	}
	t.index[e.inode] = int32(len(t.entries))
	t.entries = append(t.entries, e)
}

// drop forgets the half of a table that could not be read to its end.
func (t *taker) drop(ns uint64) {
	for inode, i := range t.index {
		if t.entries[i].netns == ns {
			delete(t.index, inode)
			t.entries[i].inode = 0
		}
	}
}

// loadText reads a table of /proc/net. That has no entry for IPv6 if there is
// none.
func (t *taker) loadText(ns uint64, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(file, "6") {
			return nil
		}
		return unwrapErrno(err)
	}
	return parseTable(text, func(e entry) {
		e.netns = ns
		t.add(e)
	})
}

// parseTable parses a table of /proc/net, see proc_net_tcp.rst of the kernel.
func parseTable(text []byte, f func(entry)) error {
	_, text, _ = bytes.Cut(text, []byte("\n"))
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) < 10 {
			return fmt.Errorf("a line of /proc/net/tcp: %q", line)
		}
		local, lok := parseAddrPort(fields[1])
		remote, rok := parseAddrPort(fields[2])
		state, err := strconv.ParseUint(string(fields[3]), 16, 8)
		inode, ierr := strconv.ParseUint(string(fields[9]), 10, 32)
		out, _, _ := bytes.Cut(fields[4], []byte(":"))
		queue, qerr := strconv.ParseUint(string(out), 16, 32)
		if !lok || !rok || err != nil || ierr != nil || qerr != nil {
			return fmt.Errorf("a line of /proc/net/tcp: %q", line)
		}
		if state == 0 || state >= uint64(len(states)) {
			continue // One that this program does not know of.
		}
		f(entry{inode: uint32(inode), state: uint8(state), queue: uint32(queue), local: local, remote: remote})
	}
	return nil
}

// parseAddrPort parses words of the address as this processor has them, and the
// port.
func parseAddrPort(field []byte) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(string(field), ":")
	if len(address) != 8 && len(address) != 32 {
		return netip.AddrPort{}, false
	}
	var b [16]byte
	for i := 0; i < len(address); i += 8 {
		word, err := strconv.ParseUint(address[i:i+8], 16, 32)
		if err != nil {
			return netip.AddrPort{}, false
		}
		binary.NativeEndian.PutUint32(b[i/2:], uint32(word))
	}
	n, err := strconv.ParseUint(port, 16, 16)
	a, _ := netip.AddrFromSlice(b[:len(address)/2])
	return netip.AddrPortFrom(a, uint16(n)), err == nil
}

// countUnowned counts the sockets of this namespace that no process had that was
// read. Those that were closed meanwhile are not there when it looks again.
func (t *taker) countUnowned() (int, error) {
	missed, states := map[uint32]bool{}, uint32(0)
	for i := range t.entries {
		if e := &t.entries[i]; e.inode != 0 && e.netns == t.own && !e.owned {
			missed[e.inode] = true
			states |= 1 << e.state
		}
	}
	if len(missed) == 0 {
		return 0, nil
	}
	again := taker{query: t.query, own: t.own, states: states, index: map[uint32]int32{}, spaces: map[uint64]*space{}}
	if err := again.load(t.own, "/proc/thread-self"); err != nil {
		return 0, err
	}
	n := 0
	for inode := range again.index {
		if missed[inode] {
			n++
		}
	}
	return n, nil
}

// diagMessage is struct inet_diag_msg of sock_diag(7), and diagRequest struct
// inet_diag_req_v2 after its header, with an attribute that names the protocol.
type diagMessage struct {
	family, state, timer, retrans uint8
	sport, dport                  [2]byte
	src, dst                      [16]byte
	device                        uint32
	cookie                        [2]uint32
	expires, rqueue, wqueue       uint32
	uid, inode                    uint32
}

type diagRequest struct {
	header                     unix.NlMsghdr
	family, protocol, ext, pad uint8
	states                     uint32
	id                         [48]byte
	attribute                  unix.NlAttr
	number                     uint32
}

const numStates = len(states)

// owned are the states of a socket that a process may have, as ownable.
const owned = (1<<numStates - 2) &^ (1 << timeWait)

// inetDiagReqProtocol is INET_DIAG_REQ_PROTOCOL of include/uapi/linux/inet_diag.h
// of the kernel; it is for protocols that do not fit into a byte.
const inetDiagReqProtocol = 3

func (m *diagMessage) entry(protocol uint32) entry {
	address := func(a *[16]byte, port [2]byte) netip.AddrPort {
		ip := netip.AddrFrom16(*a)
		if m.family == unix.AF_INET {
			ip = netip.AddrFrom4([4]byte(a[:4]))
		}
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(port[:]))
	}
	return entry{inode: m.inode, protocol: uint16(protocol), state: m.state, queue: m.wqueue, local: address(&m.src, m.sport), remote: address(&m.dst, m.dport)}
}

// dump calls f for each TCP socket of this thread's network namespace in one of
// these states, those of multipath TCP last.
func dump(states uint32, f func(*diagMessage, uint32)) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	buf := make([]byte, 1<<16)
	for _, protocol := range []uint32{unix.IPPROTO_TCP, unix.IPPROTO_MPTCP} {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			err := dumpOne(fd, buf, family, protocol, states, f)
			if protocol == unix.IPPROTO_MPTCP || family == unix.AF_INET6 {
				// The kernel may be without them, and says so in several ways.
				if err == unix.ENOENT || err == unix.EINVAL || err == unix.EOPNOTSUPP {
					err = nil
				}
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func dumpOne(fd int, buf []byte, family uint8, protocol, states uint32, f func(*diagMessage, uint32)) error {
	req := diagRequest{
		header:   unix.NlMsghdr{Type: unix.SOCK_DIAG_BY_FAMILY, Flags: unix.NLM_F_REQUEST | unix.NLM_F_DUMP},
		family:   family,
		protocol: uint8(min(protocol, 255)),
		states:   states,
	}
	req.header.Len = uint32(unsafe.Offsetof(req.attribute))
	if protocol > 255 {
		req.header.Len = uint32(unsafe.Sizeof(req))
		req.attribute = unix.NlAttr{Len: 8, Type: inetDiagReqProtocol}
		req.number = protocol
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&req)), req.header.Len)
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		}
		for rest := buf[:n]; len(rest) >= unix.SizeofNlMsghdr; {
			h := (*unix.NlMsghdr)(unsafe.Pointer(&rest[0]))
			size := int(h.Len)
			if size < unix.SizeofNlMsghdr || size > len(rest) {
				return fmt.Errorf("sock_diag: a message of %d bytes in %d: %w", size, len(rest), unix.EBADMSG)
			}
			body := rest[unix.SizeofNlMsghdr:size]
			switch h.Type {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				if len(body) >= 4 {
					if errno := -int32(binary.NativeEndian.Uint32(body)); errno != 0 {
						return unix.Errno(errno)
					}
				}
				return nil
			case unix.SOCK_DIAG_BY_FAMILY:
				if len(body) < int(unsafe.Sizeof(diagMessage{})) {
					return fmt.Errorf("sock_diag: an answer of %d bytes: %w", len(body), unix.EBADMSG)
				}
				if m := (*diagMessage)(unsafe.Pointer(&body[0])); int(m.state) < numStates {
					f(m, protocol)
				}
			}
			rest = rest[min(len(rest), (size+3)&^3):]
		}
	}
}

// visit looks at s again and, if it is still the same socket, calls act with it.
// act should be quick: the owner's descriptor is held meanwhile. s is then as
// it was after act.
func (s *tcpSocket) visit(act func(now *tcpSocket, sock tcpopt.Socket)) error {
	pidfd, err := unix.PidfdOpen(s.pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(pidfd)
	l := look{queue: true}
	raw := &rawDescriptor{}
	sock := tcpopt.FromRawConn(raw)
	now := *s
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer undisturbed()()
	err = l.take(pidfd, s.fd, s.inode, func(fd uintptr) {
		raw.fd = fd
		l.tell(&now)
		act(&now, sock)
	})
	if err == nil {
		l.tell(s)
	}
	return err
}

// A rawDescriptor is a syscall.RawConn.
type rawDescriptor struct{ fd uintptr }

func (r *rawDescriptor) Control(f func(uintptr)) error { f(r.fd); return nil }

func (r *rawDescriptor) Read(func(uintptr) bool) error  { return unix.EOPNOTSUPP }
func (r *rawDescriptor) Write(func(uintptr) bool) error { return unix.EOPNOTSUPP }
