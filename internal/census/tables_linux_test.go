package census

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

func TestTablesAdd(t *testing.T) {
	ts := newTables(7, ownedStates)
	at := netip.MustParseAddrPort
	listen := uint8(slices.Index(states[:], StateListen))
	ts.add(entry{inode: 1, protocol: unix.IPPROTO_TCP, state: 1, queue: 5, local: at("10.0.0.1:1")})
	ts.add(entry{inode: 0, state: timeWait})
	ts.add(entry{inode: 2, state: listen, queue: 4096})
	ts.add(entry{inode: 3, state: 1, netns: 8})
	ts.add(entry{inode: 1, protocol: unix.IPPROTO_MPTCP, state: 1, queue: 6, local: at("10.0.0.1:2")})
	want := []entry{
		{inode: 1, protocol: unix.IPPROTO_MPTCP, state: 1, queue: 6, netns: 7, local: at("10.0.0.1:2")},
		{inode: 2, state: listen, netns: 7},
		{inode: 3, state: 1, netns: 8},
	}
	if !slices.Equal(ts.entries, want) || !maps.Equal(ts.index, map[uint32]int32{1: 0, 2: 1, 3: 2}) {
		t.Errorf("entries %+v, index %v, want %+v", ts.entries, ts.index, want)
	}

	ts.drop(7)
	if !maps.Equal(ts.index, map[uint32]int32{3: 2}) || ts.entries[0].inode != 0 || ts.entries[1].inode != 0 {
		t.Errorf("after drop, entries %+v, index %v", ts.entries, ts.index)
	}
	ts.add(entry{inode: 2, state: 1})
	if i, ok := ts.index[2]; !ok || ts.entries[i].inode != 2 {
		t.Errorf("added again, entries %+v, index %v", ts.entries, ts.index)
	}
}

// TestTablesLoad reads the tables of another namespace as text.
func TestTablesLoad(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	const line = "   5: 0100007F:B043 0200007F:DA7A 01 0000002A:00000007 02:000004E2 00000000     0        0 2108337 2 000000008d058030 20 0 0 10 -1\n"
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.MkdirAll(dir+"/net", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/net/tcp", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ts := newTables(7, ownedStates)
	if err := ts.load(8, dir); !isGone(err) {
		t.Errorf("a thread that is gone: %v", err)
	}
	// Another thread of that namespace may be there, and none has a table of IPv6.
	write(head + line)
	if err := ts.load(8, dir); err != nil || len(ts.entries) != 1 || ts.entries[0].netns != 8 || ts.entries[0].inode != 2108337 {
		t.Errorf("load = %v, entries %+v", err, ts.entries)
	}
	// It is read once, and the result is kept.
	write(head + "nonsense\n")
	if err := ts.load(8, dir); err != nil || len(ts.entries) != 1 {
		t.Errorf("again: load = %v, entries %+v", err, ts.entries)
	}
	if err := ts.load(9, dir); err == nil {
		t.Error("no error from nonsense")
	}
	write(head + line)
	if err := ts.load(9, dir); err == nil || len(ts.entries) != 1 {
		t.Errorf("after nonsense: load = %v, entries %+v", err, ts.entries)
	}
}

// TestTablesCounted has tables that are not read, since the kernel counts no sockets in
// them.
func TestTablesCounted(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	const line = "   5: 0100007F:B043 0200007F:DA7A 01 0000002A:00000007 02:000004E2 00000000     0        0 %d 2 000000008d058030 20 0 0 10 -1\n"
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		labtest.Need(t, os.WriteFile(dir+"/net/"+name, []byte(text), 0o600))
	}
	labtest.Need(t, os.MkdirAll(dir+"/net", 0o700))
	labtest.Need(t, os.Mkdir(dir+"/ns", 0o700))
	labtest.Need(t, os.Symlink("net:[8]", dir+"/ns/net"))
	write("tcp", head+fmt.Sprintf(line, 1))
	write("tcp6", head+fmt.Sprintf(line, 2))
	none := "sockets: used 7\nTCP: inuse 0 orphan 3 tw 5 alloc 84 mem 1177\nUDP: inuse 4 mem 0\n"
	for _, tt := range []struct {
		name, counts, counts6 string
		want                  []uint32
	}{
		{"both", strings.Replace(none, "inuse 0", "inuse 10", 1), "TCP6: inuse 1\nUDP6: inuse 0\n", []uint32{1, 2}},
		{"one", strings.Replace(none, "inuse 0", "inuse 10", 1), "TCP6: inuse 0\n", []uint32{1}},
		{"the other", none, "TCP6: inuse 2\n", []uint32{2}},
		{"none", none, "TCP6: inuse 0\nUDP6: inuse 3\n", nil},
		{"no counts", "", "TCP6:\n", []uint32{1, 2}},
		{"others", "TCP: orphan 0\n", "TCP6: inuse x\n", []uint32{1, 2}},
	} {
		write("sockstat", tt.counts)
		write("sockstat6", tt.counts6)
		ts := newTables(7, ownedStates)
		if err := ts.load(8, dir); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := slices.Sorted(maps.Keys(ts.index)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
		// Yet a process there has a socket.
		if again := ts.reload(dir); again != (len(tt.want) < 2) || len(ts.index) != 2 || ts.reload(dir) {
			t.Errorf("%s: read again %v, and has %v", tt.name, again, ts.index)
		}
	}
}

// TestTablesAgree reads the tables of a namespace from inside, if allowed, and as text.
func TestTablesAgree(t *testing.T) {
	h := labtest.NewHost(t)
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l := labtest.Listen(t, h, address, false)
		labtest.Dial(t, h, l.Addr().String(), false)
	}
	var ns uint64
	dir := ""
	labtest.Need(t, h.Do(func() (err error) {
		dir = fmt.Sprintf("/proc/self/task/%d", unix.Gettid())
		if ns, err = namespaceOf(dir); err != nil {
			return err
		}
		inside, text := newTables(0, ownedStates), newTables(0, ownedStates)
		if err := inside.load(ns, dir); err != nil {
			return err
		}
		for _, f := range bothFamilies {
			if err := loadText(dir+f.table, func(e entry) { e.netns = ns; text.add(e) }); err != nil {
				return err
			}
		}
		byInode := func(t *tables) (all []entry) {
			for _, e := range t.entries {
				e.protocol = 0 // The text lacks it.
				all = append(all, e)
			}
			slices.SortFunc(all, func(a, b entry) int { return int(a.inode) - int(b.inode) })
			return all
		}
		if a, b := byInode(inside), byInode(text); !slices.Equal(a, b) || len(a) != 4 {
			t.Errorf("from inside %+v, as text %+v, want the same four", a, b)
		}
		return nil
	}))
}

// TestTablesCountedHere asks this kernel for the counts.
func TestTablesCountedHere(t *testing.T) {
	h := labtest.NewHost(t)
	count := func(name string) (none bool) {
		t.Helper()
		labtest.Need(t, h.Do(func() error {
			text, err := os.ReadFile("/proc/thread-self/net/" + name)
			none = countsNone(text)
			return err
		}))
		return none
	}
	if !count("sockstat") || !count("sockstat6") {
		t.Error("a new namespace has sockets")
	}
	l := labtest.Listen(t, h, "127.0.0.1:0", false)
	if count("sockstat") || !count("sockstat6") {
		t.Error("a listener of IPv4 is not counted, or for IPv6 too")
	}
	labtest.Listen(t, h, "[::1]:0", false)
	l.Close()
	if !count("sockstat") || count("sockstat6") {
		t.Error("a closed listener is counted, or one of IPv6 is not")
	}
}

func TestUnowned(t *testing.T) {
	h := labtest.NewHost(t)
	l, other := labtest.Listen(t, h, "127.0.0.1:0", false), labtest.Listen(t, h, "127.0.0.1:0", false)
	labtest.Need(t, h.Do(func() error {
		own, err := namespaceOf("/proc/thread-self")
		if err != nil {
			return err
		}
		ts := newTables(own, ownedStates)
		if err := ts.load(own, "/proc/thread-self"); err != nil {
			return err
		}
		ts.add(entry{inode: 1, state: 1, netns: own + 1}) // Elsewhere.
		count := func(what string, want int) {
			if n, err := ts.countUnowned(); n != want || err != nil {
				t.Errorf("%s: %d, %v, want %d", what, n, err, want)
			}
		}
		count("two listeners", 2)
		for i := range ts.entries {
			if ts.entries[i].local.Port() == addrPort(l.Addr()).Port() {
				ts.entries[i].owned = true
			}
		}
		count("one is somebody's", 1)
		other.Close()
		count("the other is closed", 0)
		return nil
	}))
}

// TestParseTable parses lines as Linux 6.18 gave them, little-endian.
func TestParseTable(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	const line = "   5: 0100007F:B043 0200007F:DA7A 01 0000002A:00000007 02:000004E2 00000000     0        0 2108337 2 000000008d058030 20 0 0 10 -1\n"
	const line6 = "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000 100 0 0 10 0\n"
	var got []entry
	if err := parseTable([]byte(head+line+line6), func(e entry) { got = append(got, e) }); err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	e := got[0]
	if e.inode != 2108337 || e.state != 1 || e.queue != 42 || e.local.Port() != 0xb043 || e.remote.Port() != 0xda7a {
		t.Errorf("%+v", e)
	}
	if nativeIsLittle() && (e.local.String() != "127.0.0.1:45123" || got[1].local.String() != "[::1]:8080") {
		t.Errorf("%v, %v", e.local, got[1].local)
	}
	for _, bad := range []string{"x\n", strings.Replace(line, "0100007F:", "0100007:", 1), strings.Replace(line, "2108337", "x", 1),
		strings.Replace(line, " 01 ", " zz ", 1), line[:60] + "\n"} {
		if err := parseTable([]byte(head+bad), func(entry) {}); err == nil {
			t.Errorf("no error from %q", bad)
		}
	}
	if err := parseTable(nil, nil); err != nil {
		t.Error(err)
	}
}

func nativeIsLittle() bool { n := uint16(1); return *(*byte)(unsafe.Pointer(&n)) == 1 }

func FuzzParseTable(f *testing.F) {
	f.Add([]byte("x\n   5: 0100007F:B043 0200007F:DA7A 01 0000002A:00000007 02:000004E2 00000000     0        0 2108337 2 0 20 0 0 10 -1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		parseTable(text, func(e entry) {
			if int(e.state) >= len(states) || !e.local.IsValid() {
				t.Errorf("%+v", e)
			}
		})
	})
}
