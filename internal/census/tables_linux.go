package census

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// An entry is a TCP socket in the kernel's tables.
type entry struct {
	inode         uint32
	protocol      uint16 // 0: the table does not say whether TCP or multipath TCP
	state         uint8
	owned         bool   // a readable process has it
	taken         bool   // and it was read
	queue         uint32 // bytes that the peer has not acknowledged
	netns         uint64
	local, remote netip.AddrPort
}

// ownedStates are the states of a socket that a process may have, a bit each.
const ownedStates = (1<<len(states) - 2) &^ (1 << timeWait)

// tables are the kernel's tables of TCP sockets of some network namespaces.
type tables struct {
	own     uint64 // the namespace of this process
	states  uint32 // the states of interest, a bit each
	entries []entry
	index   map[uint32]int32             // entries by inode, which is unique across namespaces
	loaded  map[uint64]error             // by namespace: the result of reading its tables
	dirs    map[uint64]string            // by namespace: the thread of /proc that has these tables
	empty   map[uint64]bool              // by namespace: a table was not read, since the kernel counts no sockets for it
	devices map[uint64]map[uint32]string // by namespace: its devices with IPv6; read when needed
}

func newTables(own uint64, states uint32) *tables {
	return &tables{own: own, states: states, index: map[uint32]int32{},
		loaded: map[uint64]error{}, dirs: map[uint64]string{}, empty: map[uint64]bool{}, devices: map[uint64]map[uint32]string{}}
}

// enter loads the tables of the namespace of dir, a thread of /proc.
func (t *tables) enter(dir string) error {
	ns, err := namespaceOf(dir)
	if err != nil {
		return err
	}
	return t.load(ns, dir)
}

// load adds the tables of a namespace, through dir, a thread of /proc in it.
func (t *tables) load(ns uint64, dir string) error {
	if err, ok := t.loaded[ns]; ok {
		return err
	}
	families := bothFamilies
	if ns != t.own {
		families = t.counted(ns, dir)
	}
	err := t.read(ns, dir, families)
	if err == nil || !isGone(err) { // Another thread may still be there.
		t.loaded[ns], t.dirs[ns] = err, dir
	}
	return err
}

// A family is an address family, for which the kernel has a table.
type family struct {
	number        uint8
	table, counts string // in /proc/PID
}

var bothFamilies = []family{
	{unix.AF_INET, "/net/tcp", "/net/sockstat"},
	{unix.AF_INET6, "/net/tcp6", "/net/sockstat6"},
}

// counted returns the families with sockets in use in the namespace of dir, a thread of
// /proc, by the kernel's count. To list them the kernel walks through the hash of all
// namespaces, which takes milliseconds even if there are none.
func (t *tables) counted(ns uint64, dir string) (families []family) {
	for _, f := range bothFamilies {
		if counts, err := os.ReadFile(dir + f.counts); err == nil && countsNone(counts) {
			t.empty[ns] = true
		} else {
			families = append(families, f)
		}
	}
	return families
}

// read reads tables. Inside the namespace it takes a quarter of the time of reading the
// text, but entering needs CAP_SYS_ADMIN.
func (t *tables) read(ns uint64, dir string, families []family) error {
	add := func(e entry) {
		e.netns = ns
		t.add(e)
	}
	ask := func() error { return dump(t.states, families, add) }
	var err error
	switch {
	case ns == t.own:
		err = ask()
	case len(families) > 0:
		thread(func() {
			if err = enter(dir+"/ns/net", ns); err == nil {
				err = ask()
			}
		})
	}
	if err == nil {
		return nil
	}
	t.drop(ns) // The kernel may also lack inet_diag.
	for _, f := range families {
		if err := loadText(dir+f.table, add); err != nil {
			return err
		}
	}
	return nil
}

// add adds an entry, or replaces one with the same inode. The paths of a multipath
// connection have its inode, and its own entry comes last.
func (t *tables) add(e entry) {
	if e.inode == 0 {
		return // No process has it: TIME_WAIT, or closed and not yet done.
	}
	if states[e.state] == StateListen {
		e.queue = 0 // The limit of connections to be accepted.
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

// drop forgets the tables of a namespace that could not be read to the end.
func (t *tables) drop(ns uint64) {
	for inode, i := range t.index {
		if t.entries[i].netns == ns {
			delete(t.index, inode)
			t.entries[i].inode = 0
		}
	}
}

// reload reads the tables that were left out for the namespace of dir, a thread of
// /proc, and reports whether there were any. It is for a process with a TCP socket that
// is in no table: if a kernel counts wrong, nothing is missed.
func (t *tables) reload(dir string) bool {
	ns, err := namespaceOf(dir)
	if err != nil || !t.empty[ns] {
		return false
	}
	delete(t.empty, ns)
	return t.read(ns, dir, bothFamilies) == nil
}

// loadText reads a table of /proc/net. Without IPv6 there is no table for it.
func loadText(file string, f func(entry)) error {
	text, err := os.ReadFile(file)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(file, "6") {
			return nil
		}
		return unwrapErrno(err)
	}
	return parseTable(text, f)
}

// countsNone reports whether a table of counts has no TCP sockets in use, see
// net/ipv4/proc.c and net/ipv6/proc.c of the kernel. Those in TIME_WAIT are not in use,
// and no process has them.
func countsNone(text []byte) bool {
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) >= 3 && (f[0] == "TCP:" || f[0] == "TCP6:") && f[1] == "inuse" {
			return f[2] == "0"
		}
	}
	return false
}

// countUnowned counts the sockets of this namespace that belong to no readable process.
// It reads the tables once more: a socket without an owner in both was not closed while
// the processes were listed, but has an owner elsewhere.
func (t *tables) countUnowned() (int, error) {
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
	again := newTables(t.own, states)
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

// parseTable parses a table of /proc/net, see proc_net_tcp.rst of the kernel.
func parseTable(text []byte, f func(entry)) error {
	_, text, _ = bytes.Cut(text, []byte("\n"))
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
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
			continue // A state that this program does not know.
		}
		f(entry{inode: uint32(inode), state: uint8(state), queue: uint32(queue), local: local, remote: remote})
	}
	return nil
}

// parseAddrPort parses an address, in words of this processor's byte order, and a port.
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

// unwrapErrno returns the errno in err, which compares with ==.
func unwrapErrno(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
