package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt/internal/census"
)

// A keeper is set with -every: it looks again and again, and changes what is not as
// wanted. Each look reads every socket that is selected, so that what is as wanted
// needs no record, and what its program has set meanwhile is seen.
type keeper struct {
	*request
	w         *bufio.Writer
	processes map[int]*os.Process // those of -pid
	records   map[identity]*record
	jobs      []*job
	said      news // of what could not be read

	changed, dead, left int
}

// An identity is that of a socket: the kernel gives an inode number again, but
// hardly with the same addresses.
type identity struct {
	inode         uint32
	netns         uint64
	local, remote netip.AddrPort
}

func identityOf(s *census.Socket) identity {
	return identity{s.Inode, s.NetNS, s.Local, s.Remote}
}

// A record is of a socket that was not as wanted.
type record struct {
	busy    bool // its job is not over
	refused bool // it is not wholly as wanted, which was printed
	final   bool // no later look will change that
	why     obstacle
	times   int // how often it was changed
}

// mostTimes is how often a socket is changed. Setting an idle time sends a probe if
// the silence is longer, so that what a program takes back is not set for ever; but
// a program may set its own right after the first look has found its connection.
const mostTimes = 2

// keep keeps set what the request selects, until ctx ends or all of its processes
// have ended.
func (r *request) keep(ctx context.Context, w *bufio.Writer) error {
	k := &keeper{request: r, w: w, processes: map[int]*os.Process{}, records: map[identity]*record{}}
	for _, pid := range r.query.PIDs {
		if p, err := os.FindProcess(pid); err == nil {
			k.processes[pid] = p
		}
	}
	start := time.Now()
	c, errs := k.look()
	if c == nil {
		return errors.Join(errs...)
	}
	if len(r.query.PIDs) > 0 && k.gone() {
		return errors.Join(append(errs, errors.New("no such process is left"))...)
	}
	fmt.Fprintf(w, "looking every %s: %s now, %d to be changed; from here on only changes are printed\n",
		short(*r.every), plural(len(c.Sockets), "connection"), len(k.jobs))
	if !namesProcesses(&r.query) {
		printUnreadable(w, c, "-force cgroup")
	}
	tick := time.NewTicker(*r.every)
	defer tick.Stop()
	why := "interrupted"
	for {
		k.said.print(k.w, errs) // Flush has its error.
		if !k.work(ctx, tick.C) {
			break
		}
		if len(r.query.PIDs) > 0 && k.gone() {
			why = "all processes have ended"
			break
		}
		_, errs = k.look()
	}
	fmt.Fprintf(w, "%s after %s: %s made, %s found dead, %d not done or not fully\n",
		why, short(time.Since(start).Round(time.Second)), plural(k.changed, "change"), plural(k.dead, "connection"), k.left)
	return w.Flush()
}

// gone forgets the processes of -pid that have ended, since their numbers may be others'
// by now, and reports whether none is left.
func (k *keeper) gone() bool {
	pids := k.query.PIDs
	k.query.PIDs = nil
	for _, pid := range pids {
		if p := k.processes[pid]; p != nil && !hasEnded(p) {
			k.query.PIDs = append(k.query.PIDs, pid)
		}
	}
	return len(k.query.PIDs) == 0
}

// look takes a census and makes jobs of what it has that is to be changed. It
// returns what the census is without, and no census if there can be none.
func (k *keeper) look() (*census.Census, []error) {
	c, err := census.Take(&k.query)
	var none *census.NoProcessError
	switch {
	case errors.As(err, &none): // Not yet.
		c = &census.Census{}
	case err != nil:
		return nil, []error{err}
	}
	seen := map[identity]bool{}
	for i := range c.Sockets {
		s := &c.Sockets[i]
		id := identityOf(s)
		seen[id] = true
		if r := k.records[id]; k.wants(s) && !k.change.missing(s.Config).empty() && k.due(r, s) {
			if r == nil {
				r = &record{}
				k.records[id] = r
			}
			r.busy = true
			own := *s // It does not keep the census from being freed.
			k.jobs = append(k.jobs, newJob(&own, &k.change, k.force))
		}
	}
	for id, r := range k.records {
		if !seen[id] && !r.busy {
			delete(k.records, id)
		}
	}
	c.Sockets = slices.DeleteFunc(c.Sockets, func(s census.Socket) bool { return !k.wants(&s) })
	return c, failures(c, &k.query, "-force cgroup")
}

// due reports whether s, of which r is known, is to be changed in this look. A
// socket whose peer did not answer was asked at the price of a probe, and is not
// asked again before its peer has given a sign.
func (k *keeper) due(r *record, s *census.Socket) bool {
	switch {
	case r == nil:
		return true
	case r.busy || r.final:
		return false
	case r.times == mostTimes:
		r.refused, r.final = true, true
		k.left++
		k.print(s, "left alone from now on: its program has set its own again")
		return false
	case r.why == silent:
		return newJob(s, &k.change, k.force).obstacle(s) != silent
	}
	return true
}

// work does the jobs until the next look, and reports whether there is to be one.
func (k *keeper) work(ctx context.Context, next <-chan time.Time) bool {
	for {
		if k.w.Flush() != nil {
			return false // The error stays, and the last Flush returns it.
		}
		var pause <-chan time.Time
		if len(k.jobs) > 0 {
			waiting, over := stepJobs(ctx, k.jobs)
			for _, j := range over {
				k.close(j)
			}
			if k.jobs = waiting; len(waiting) > 0 {
				pause = time.After(steps)
			}
			if k.w.Flush() != nil {
				return false
			}
		}
		if ctx.Err() != nil {
			if len(k.jobs) == 0 {
				return false
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-pause:
		case <-next:
			return true
		}
	}
}

// close prints what came of j, if that is new.
func (k *keeper) close(j *job) {
	r := k.records[identityOf(j.socket)]
	before := r.why
	r.busy, r.why = false, j.why
	undo, left := difference(&j.first.Config, j.socket.Config), j.explain(false)
	if !undo.empty() && (j.ended == lives || j.written) {
		k.changed++
		made := difference(&j.socket.Config, j.first.Config)
		k.print(j.socket, fmt.Sprintf("set %s; it had %s", made.flags(), undo.flags()))
	}
	switch {
	case j.ended == died || j.ended == closed && j.silent:
		k.dead++
		k.print(j.socket, j.explainEnd())
	case j.ended == closed: // By its program, as programs do.
	case left == "":
		r.times++
		if r.refused {
			r.refused = false
			k.left--
		}
	case !r.refused || before != j.why:
		if !r.refused {
			r.refused = true
			k.left++
		}
		k.print(j.socket, left)
		// What the kernel refuses or lacks, it will refuse or lack.
		r.final = j.why == lacks || j.why == none
	}
}

func (k *keeper) print(s *census.Socket, text string) {
	fmt.Fprintf(k.w, "%d %s fd %d %v -> %v %s: %s\n", s.PID, printable(s.Command), s.FD, shortAddress(s.Local), shortAddress(s.Remote), s.State, text)
}

// news are the errors that were printed last.
type news map[string]bool

// print prints those of errs that are not nil and were not there the last time.
func (n *news) print(w io.Writer, errs []error) (err error) {
	now := news{}
	for _, e := range errs {
		if e == nil {
			continue
		}
		text := strings.TrimPrefix(e.Error(), "tcpopt: ")
		if now[text] = true; !(*n)[text] {
			_, err = fmt.Fprintln(w, text)
		}
	}
	*n = now
	return err
}
