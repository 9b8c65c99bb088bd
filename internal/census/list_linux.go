package census

import (
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// A lister lists the sockets of processes while a taker reads those already listed. Its
// fields are its own until it closes the channel.
type lister struct {
	query     *Query
	tables    *tables          // it sets owned, and a taker taken
	class     string           // the net_cls and net_prio groups of this process
	missing   []*owner         // owners with TCP sockets that are in no table, since some tables were not read
	netns     []uint64         // the wanted network namespaces; none: any
	owners    map[int]uint32   // of the processes, if wanted
	processes map[int]*Process // if wanted
	unowned   *int             // nil: not counted
	err       error            // of counting
}

// A batch has wanted sockets of one process, or why there are no more.
type batch struct {
	*owner
	sockets []listed
	err     error
	last    bool
}

type listed struct {
	fd    int
	entry int32
}

// batchSize is how many descriptors are listed before the first is taken.
const batchSize = 256

func (l *lister) list(owners []*owner, batches chan<- batch) {
	defer close(batches)
	buf := make([]byte, 1<<15)
	var names []string
	for _, o := range owners {
		err := o.open()
		if err == nil {
			names, err = l.listOne(o, buf, names[:0], batches)
		}
		if o.tid != 0 && isGone(err) {
			err = nil // The end of a thread is not that of its process.
		}
		batches <- batch{owner: o, err: err, last: true}
	}
	if !l.query.selects() {
		n, err := l.tables.countUnowned()
		l.unowned, l.err = &n, err
	}
}

// listOne uses buf and names, and returns names for the next process.
func (l *lister) listOne(o *owner, buf []byte, names []string, batches chan<- batch) ([]string, error) {
	dir := o.dir()
	fds, err := unix.Open(dir+"/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
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
		i, ok := l.tables.index[inode]
		if !ok { // Not TCP, not in the tables when they were read, or of a namespace that was not read.
			missing = missing || (l.query.selects() || len(l.tables.empty) > 0) && mayBeTCP(dir, name)
			continue
		}
		e := &l.tables.entries[i]
		e.owned = true
		fd, err := strconv.Atoi(name)
		if err != nil || l.query.FD != nil && *l.query.FD != fd || !l.query.mayWant(e.local, e.remote, states[e.state]) ||
			len(l.netns) > 0 && !slices.Contains(l.netns, e.netns) {
			continue
		}
		if o.command == "" {
			if o.command, err = commandOf("/proc/" + strconv.Itoa(o.pid)); err != nil {
				return names, err
			}
			if l.query.Owners {
				if user, err := userOf(dir); err == nil {
					l.owners[o.pid] = user
				}
			}
			if _, ok := l.processes[o.pid]; l.query.Details && !ok {
				l.processes[o.pid] = processOf(dir)
			}
			if !l.query.Force && netClass(dir) != l.class {
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
		l.missing = append(l.missing, o)
	}
	return names, nil
}
