package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"time"

	"github.com/tcpopt/tcpopt/internal/census"
)

// unasked is how many sockets set changes without -yes.
const unasked = 10

// A request is what set is asked to do.
type request struct {
	selection
	change    change
	within    *time.Duration
	noTimeout bool
	on, off   bool
	all       bool
	dry, yes  bool
	every     *time.Duration
	force     guards
}

func runSet(v *verb, args []string, stdout io.Writer) error {
	var r request
	var flags flag.FlagSet
	r.flags(&flags)
	if err := v.parse(&flags, args, stdout); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return misused(err)
	}
	r.query.Limits = true
	if r.every != nil {
		ctx, stop := signal.NotifyContext(context.Background(), interrupts...)
		defer stop()
		return r.keep(ctx, bufio.NewWriter(stdout))
	}
	c, err := r.take()
	if err != nil {
		return err
	}
	errs := failures(c, &r.query, "-force cgroup")
	w := terminalOf(stdout).writer(stdout)
	sayUnreadable := func() {
		if !namesProcesses(&r.query) { // Of processes that were asked for, failures says it.
			printUnreadable(w, c, "-force cgroup")
		}
	}
	if len(c.Sockets) == 0 && len(errs) == 0 {
		sayUnreadable()
		return errors.Join(r.nothing(), w.Flush())
	}
	var jobs []*job
	differ := 0
	for i := range c.Sockets {
		j := newJob(&c.Sockets[i], &r.change, r.force)
		jobs = append(jobs, j)
		if !r.change.missing(j.socket.Config).empty() {
			differ++
		}
	}
	switch {
	case r.dry:
		for _, j := range jobs {
			j.foresee()
		}
	case differ > unasked && !r.yes:
		return misused(fmt.Errorf("%d sockets would change: more than %d need -yes; -dry-run shows them", differ, unasked))
	default:
		// What was changed is printed even if this is interrupted, with how to restore it.
		ctx, stop := signal.NotifyContext(context.Background(), interrupts...)
		defer stop()
		doJobs(ctx, jobs)
	}
	for _, j := range jobs {
		if j.socket.State == census.StateListen {
			j.accepted = explainAccepted(j, acceptedBy)
		}
	}
	whole := printJobs(w, jobs, r.dry)
	sayUnreadable()
	if err := errors.Join(append(errs, w.Flush())...); err != nil {
		return err
	}
	if !whole {
		return &exit{status: failed}
	}
	return nil
}

func (r *request) flags(flags *flag.FlagSet) {
	r.selection.flags(flags)
	flags.Var(fdFlag{&r.query.FD}, "fd", "the socket at descriptor `F` of the process; it may listen")
	flags.BoolVar(&r.all, "all", false, "all connections of the processes that are selected")
	flags.Var(timeFlag{d: &r.within}, "within", "set keepalive and a user timeout so that a dead peer is noticed within this `time`")
	flags.BoolVar(&r.noTimeout, "no-user-timeout", false, "with -within: leave the user timeout alone")
	flags.BoolVar(&r.on, "on", false, "switch keepalive on")
	flags.BoolVar(&r.off, "off", false, "switch keepalive off")
	flags.Var(timeFlag{d: &r.change.idle}, "idle", "the `time` that the peer is silent before the first probe")
	flags.Var(timeFlag{d: &r.change.interval}, "interval", "the `time` between probes")
	flags.Var(countFlag{&r.change.count}, "count", "the `number` of unanswered probes that end a connection")
	flags.Var(timeFlag{d: &r.change.timeout, zero: true}, "user-timeout", "the `time` that data may stay unacknowledged; 0: the limit of the system")
	flags.BoolVar(&r.dry, "dry-run", false, "print what would change, and change nothing")
	flags.BoolVar(&r.yes, "yes", false, fmt.Sprintf("change as many sockets as there are, also more than %d", unasked))
	flags.Var(timeFlag{d: &r.every, least: time.Second}, "every", "look again after each `time`, change new connections too, and print only changes, until interrupted")
	flags.Var(forceFlag{words: []forceWord{
		{"silent", &r.force.silent}, {"unacked", &r.force.unacked}, {"window", &r.force.window}, {"cgroup", &r.query.Force},
	}}, "force", "skip a safety check, or several with commas between them, though that may end a living connection. silent: the peer has not answered; unacked: data is unacknowledged; window: the peer's window is shut; cgroup: the process is in another net_cls or net_prio cgroup `silent|unacked|window|cgroup`")
}

// check completes r, or says what is wrong with it: with the sockets first, then
// with the change.
func (r *request) check() error {
	q := &r.query
	process := len(q.PIDs) > 0 || q.Describes()
	// What is chosen otherwise is connections.
	q.Listen = q.FD != nil || slices.Contains(q.States, census.StateListen)
	switch {
	case r.on && r.off:
		return errors.New("-on and -off exclude each other")
	case len(q.PIDs) > 0 && len(q.Commands) > 0:
		return errors.New("-pid and -name exclude each other")
	case q.FD != nil && len(q.PIDs) != 1:
		return errors.New("-fd needs one -pid")
	case r.every != nil && (r.dry || q.FD != nil):
		return errors.New("-every excludes -dry-run and -fd")
	case r.every != nil && !r.yes:
		return errors.New("-every changes any number of sockets in time: it needs -yes; -dry-run shows what would be changed now")
	case r.all && (q.FD != nil || r.filters()):
		return errors.New("-all excludes -fd and what selects by address, state or keepalive")
	case r.all && !process:
		return errors.New("which process? -all needs -pid, -name, -cmdline, -user or -unit")
	case !r.all && q.FD == nil && !r.filters():
		return errors.New("which sockets of these processes? -all, or -fd, -local, -remote, -state, -netns, -without-keepalive, -slower, -quieter or -suspect is needed")
	}
	if r.on || r.off {
		r.change.enable = &r.on
	}
	return r.change.complete(r.within, r.noTimeout)
}

// nothing says that there is no such socket, and what is where one was expected.
func (r *request) nothing() error {
	q := &r.query
	if q.FD == nil {
		return errors.New("no TCP connection matches")
	}
	return fmt.Errorf("no TCP connection matches: descriptor %d of process %d is %s", *q.FD, q.PIDs[0], printable(census.Descriptor(q.PIDs[0], *q.FD)))
}

// steps is the time between two steps of a job.
const steps = 50 * time.Millisecond

// doJobs waits for the peers of all jobs at the same time: many that are silent
// take no longer than one. It ends early with ctx.
func doJobs(ctx context.Context, jobs []*job) {
	for len(jobs) > 0 {
		if jobs, _ = stepJobs(ctx, jobs); len(jobs) > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(steps):
			}
		}
	}
}

// stepJobs goes on with each job, and parts those that wait for something from
// those that are over. Once ctx is done, none waits for long.
func stepJobs(ctx context.Context, jobs []*job) (waiting, over []*job) {
	for _, j := range jobs {
		stopped := ctx.Err() != nil
		if stopped && !j.visited {
			j.err = errors.New("interrupted")
			over = append(over, j)
			continue
		}
		j.hurry = stopped
		if j.step() {
			waiting = append(waiting, j)
			continue
		}
		if stopped && !j.written && j.ended == lives && j.err == nil {
			j.err = errors.New("interrupted")
		}
		over = append(over, j)
	}
	return waiting, over
}

// printJobs prints what was done, or with dry would be, and reports whether that
// is all there was to do.
func printJobs(w io.Writer, jobs []*job, dry bool) bool {
	if len(jobs) == 0 {
		return true
	}
	var sum tally
	listeners, connections := false, false
	for _, j := range jobs {
		before := sum.changed
		j.print(w, dry, &sum)
		if sum.changed > before {
			listens := j.socket.State == census.StateListen
			listeners, connections = listeners || listens, connections || !listens
		}
	}
	sum.print(w, dry)
	if connections {
		fmt.Fprintln(w, "A change lasts until the program reconnects or sets its own; new connections do not have it: -every changes those too.")
	}
	if listeners {
		fmt.Fprintln(w, "A change of a listener lasts until the program listens again or sets its own.")
	}
	return sum.left == 0 || dry
}

// acceptedBy are the connections of a listener's process at its local port.
func acceptedBy(l *census.Socket) ([]census.Socket, error) {
	port, err := census.ParsePattern(fmt.Sprintf(":%d", l.Local.Port()))
	if err != nil {
		return nil, err
	}
	c, err := takeCensus(&census.Query{PIDs: []int{l.PID}, Local: []census.Pattern{port}})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(c.Sockets, func(s census.Socket) bool {
		return s.NetNS != l.NetNS || s.State == census.StateClosed || s.State == "syn-sent"
	}), nil
}
