package census

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Take takes a census of the sockets that q wants. It returns an error only if there
// can be no census at all; the Census says what it could not see.
//
// A descriptor from pidfd_getfd(2) is the owner's open socket: while it is held, the
// owner's close sends no FIN, and a closed listener keeps its port. So Take holds one
// at a time, for a few system calls, and only of TCP sockets in the kernel's tables. It
// does everything else before or after.
func Take(q *Query) (*Census, error) {
	// A census allocates too little to be worth collecting, and no collection may
	// pause this while it holds a descriptor.
	percent := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(percent)
	if err := checkProc(); err != nil {
		return nil, err
	}
	all, err := numbers("/proc")
	if err != nil {
		return nil, err
	}
	pids := slices.Clone(q.PIDs)
	if len(pids) == 0 {
		pids = all
	}
	slices.Sort(pids)
	netns, err := q.netns()
	if err != nil {
		return nil, err
	}
	own, err := namespaceOf("/proc/thread-self")
	if err != nil {
		return nil, fmt.Errorf("this needs /proc: %w", err)
	}

	// The tables come first. A socket in them that no readable process has belongs to
	// an unreadable one; a socket made from here on is not part of this census.
	t := &taker{query: q, tables: newTables(own, ownedStates)}
	if err := t.tables.load(own, "/proc/thread-self"); err != nil {
		return nil, err
	}
	t.HidePID = hidePID()
	var readable []*owner
	for _, pid := range pids {
		readable = append(readable, t.find(pid)...)
	}
	hidden := func(d Denial) bool { return d.Reason == Hidden }
	if t.matched == 0 && q.Describes() && !slices.ContainsFunc(t.Denied, func(d Denial) bool { return !hidden(d) }) {
		return nil, &NoProcessError{HidePID: t.HidePID, Hidden: len(t.Denied)}
	}
	t.reads = true
	t.Sockets = make([]Socket, 0, min(len(t.tables.entries), 1<<14))
	l := &lister{query: q, tables: t.tables, netns: netns, class: netClass("/proc/self"), owners: map[int]uint32{}, processes: map[int]*Process{}}
	walk := func(owners []*owner) {
		if len(t.tables.entries) > 20000 {
			debug.SetGCPercent(percent)
		}
		batches := make(chan batch, 4)
		go l.list(owners, batches)
		t.readAll(batches)
	}
	walk(readable)

	// A process may have a socket of a namespace that it is not in. Few do, and to load
	// many namespaces takes long.
	missing := slices.DeleteFunc(l.missing, func(o *owner) bool {
		return slices.ContainsFunc(t.Denied, func(d Denial) bool { return d.PID == o.pid })
	})
	more := false
	for _, o := range missing {
		more = t.tables.reload(o.dir()) || more
	}
	if len(missing) > 0 && q.selects() {
		more = true
		for _, pid := range all {
			// A process that may not be read adds nothing.
			_ = t.tables.enter("/proc/" + strconv.Itoa(pid))
		}
	}
	if more {
		walk(missing)
		slices.SortStableFunc(t.Sockets, func(a, b Socket) int { return a.PID - b.PID })
	}
	for i := range t.Sockets {
		if s := &t.Sockets[i]; !s.Counted && s.State != StateListen {
			t.Uncounted++
		}
	}
	if len(t.Sockets) == 0 && !q.selects() {
		for i, number := range netns {
			if _, ok := t.tables.loaded[number]; !ok {
				return nil, fmt.Errorf("network namespace %s: no process in it can be read", q.NetNS[i])
			}
		}
	}
	t.Unowned, t.Owners = l.unowned, l.owners
	if q.Details {
		names := netnsNames()
		for i := range t.Sockets {
			s := &t.Sockets[i]
			s.Process, s.NetNSName = l.processes[s.PID], names[s.NetNS]
		}
	}
	if q.Limits {
		limits := t.tables.limits(t.Sockets)
		for i := range t.Sockets {
			s := &t.Sockets[i]
			s.Limit = limits[s.NetNS]
		}
	}
	return &t.Census, l.err
}

// A taker finds the processes of a census, and reads the sockets that a lister lists.
type taker struct {
	Census
	query   *Query
	tables  *tables
	reading reading
	matched int  // how many processes are wanted
	reads   bool // all processes are found, and their sockets are being read
}

// readAll reads the listed sockets, one at a time. It reads a shared socket through the
// first process that allows it.
func (t *taker) readAll(batches <-chan batch) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t.reading.tid = unix.Gettid()
	deferStops()
	defer boundCloses()()
	for b := range batches {
		calm := func() {}
		if len(b.sockets) > 0 {
			calm = undisturbed() // For one batch, so that others get a turn in between.
		}
		for _, l := range b.sockets {
			e := &t.tables.entries[l.entry]
			if e.taken || b.over {
				continue
			}
			t.reading.protocol = int32(e.protocol)
			t.reading.expectConnect(states[e.state], e.netns)
			t.reading.scoped = linkLocal(e.local) || linkLocal(e.remote)
			switch err := t.reading.duplicate(b.pidfd, l.fd, e.inode, nil); err {
			case nil:
				e.taken = true
				s := Socket{PID: b.pid, TID: b.tid, Command: b.command, FD: l.fd, Inode: e.inode,
					NetNS: e.netns, Local: e.local, Remote: e.remote, State: states[e.state], Pending: uint64(e.queue)}
				t.reading.fill(&s)
				if t.reading.scoped {
					s.Local, s.Remote = t.tables.zoned(&s, t.reading.scope)
				}
				if t.query.wants(&s) {
					t.Sockets = append(t.Sockets, s)
				}
			case errChanged:
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
