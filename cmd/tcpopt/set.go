package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

const (
	// unasked is how many sockets set changes without -yes.
	unasked = 10

	// patience is how long set waits for a peer to acknowledge or to answer.
	patience = 3 * time.Second
)

// A change is what to set; a nil field is left alone. Times are as the kernel
// has them.
type change struct {
	enable         *bool
	idle, interval *time.Duration
	count          *int
	timeout        *time.Duration
}

func runSet(v *verb, args []string, stdout io.Writer) error {
	var flags flag.FlagSet
	var q census.Query
	queryFlags(&flags, &q)
	flags.Var(fdFlag{&q.FD}, "fd", "the socket at descriptor `F` of the process, which may be a listening one")
	all := flags.Bool("all", false, "all connections of the process")
	var within *time.Duration
	var c change
	flags.Var(timeFlag{d: &within}, "within", "what makes a dead peer noticed within this `time`: keepalive and a user timeout")
	noTimeout := flags.Bool("no-user-timeout", false, "with -within: leave the user timeout alone")
	on := flags.Bool("on", false, "switch keepalive on")
	off := flags.Bool("off", false, "switch keepalive off")
	flags.Var(timeFlag{d: &c.idle}, "idle", "the `time` of silence before the first probe")
	flags.Var(timeFlag{d: &c.interval}, "interval", "the `time` between probes")
	flags.Var(countFlag{&c.count}, "count", "the `number` of unanswered probes that ends a connection")
	flags.Var(timeFlag{d: &c.timeout, zero: true}, "user-timeout", "the `time` that data may stay unacknowledged; 0: the system's own limit")
	dry := flags.Bool("dry-run", false, "change nothing, print what would be")
	yes := flags.Bool("yes", false, fmt.Sprintf("change more than %d sockets", unasked))
	flags.BoolVar(&q.Force, "force", false, "set a user timeout whatever the connection does, and change processes in another net_cls or net_prio cgroup")
	if err := v.parse(&flags, args, stdout); err != nil {
		return err
	}
	if *on || *off {
		c.enable = on
	}
	err := c.complete(within, *noTimeout)
	switch {
	case *on && *off:
		err = errors.New("-on and -off exclude each other")
	case len(q.PIDs) > 0 && q.Command != "":
		err = errors.New("-pid and -name exclude each other")
	case len(q.PIDs) == 0 && q.Command == "":
		err = errors.New("which process? -pid or -name is needed")
	case q.FD != nil && len(q.PIDs) != 1:
		err = errors.New("-fd needs one -pid")
	case *all && (q.FD != nil || q.Local != nil || q.Remote != nil):
		err = errors.New("-all excludes -fd, -local and -remote")
	case !*all && q.FD == nil && q.Local == nil && q.Remote == nil:
		err = errors.New("which sockets? -fd, -local, -remote or -all is needed")
	}
	if err != nil {
		return misused(err)
	}
	q.Listen = q.FD != nil
	taken, err := takeCensus(&q)
	if err != nil {
		return err
	}
	errs := failures(taken, &q)
	if len(taken.Sockets) == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("no TCP connection matches"))
	}
	var jobs []*job
	differ := 0
	for i := range taken.Sockets {
		j := newJob(&taken.Sockets[i], &c, q.Force)
		if jobs = append(jobs, j); !c.missing(j.socket.Config).empty() {
			differ++
		}
	}
	switch {
	case *dry:
		for _, j := range jobs {
			j.try()
		}
	case differ > unasked && !*yes:
		return misused(fmt.Errorf("%d sockets would change: more than %d need -yes; -dry-run shows them", differ, unasked))
	default:
		// What was changed is printed even so, with how to restore it.
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		doJobs(ctx, jobs)
		stop()
	}
	w := bufio.NewWriter(stdout)
	whole := len(jobs) == 0 || printJobs(w, jobs, *dry)
	if err := errors.Join(append(errs, w.Flush())...); err != nil {
		return err
	}
	if !whole {
		return &exit{status: failed}
	}
	return nil
}

// countFlag takes a count of probes. It is nil until then.
type countFlag struct{ n **int }

func (f countFlag) String() string { return "" }

func (f countFlag) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n <= 0 {
		return errors.New("want a number above 0")
	}
	*f.n = &n
	return nil
}

// complete adds what within means, and refuses what the system would.
func (c *change) complete(within *time.Duration, noTimeout bool) error {
	switch {
	case within != nil && !c.empty():
		return errors.New("-within excludes -on, -off, -idle, -interval, -count and -user-timeout")
	case within != nil:
		w, err := tcpopt.Within(*within)
		if err != nil {
			return err
		}
		c.enable, c.idle, c.interval, c.count, c.timeout = &w.Enable, &w.Idle, &w.Interval, &w.Count, &w.UserTimeout
		if noTimeout {
			c.timeout = nil
		}
	case noTimeout:
		return errors.New("-no-user-timeout goes with -within")
	case c.empty():
		return errors.New("set what? -within, -on, -off, -idle, -interval, -count or -user-timeout is needed")
	}
	var config tcpopt.Config
	for _, f := range []struct {
		from, to *time.Duration
		unit     time.Duration
	}{{c.idle, &config.Idle, time.Second}, {c.interval, &config.Interval, time.Second}, {c.timeout, &config.UserTimeout, time.Millisecond}} {
		if f.from == nil {
			continue
		}
		if rest := *f.from % f.unit; rest != 0 && *f.from <= tcpopt.Unbounded-f.unit {
			*f.from += f.unit - rest
		}
		*f.to = *f.from
	}
	if c.count != nil {
		config.Count = *c.count
	}
	// A system that lacks an option has no census either, which says so.
	if err := config.Validate(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

func (c change) empty() bool { return c == change{} }

// missing is the part of c that a socket does not have yet.
func (c change) missing(now tcpopt.Config) change {
	if c.enable != nil && *c.enable == now.Enable {
		c.enable = nil
	}
	if c.idle != nil && *c.idle == now.Idle {
		c.idle = nil
	}
	if c.interval != nil && *c.interval == now.Interval {
		c.interval = nil
	}
	if c.count != nil && *c.count == now.Count {
		c.count = nil
	}
	if c.timeout != nil && *c.timeout == now.UserTimeout {
		c.timeout = nil
	}
	return c
}

// write sets c, idle after the switch: so Linux counts the idle time from the
// last that was heard of the peer, and asks it at once if that is long ago.
func (c *change) write(s tcpopt.Socket) error {
	if c.timeout != nil {
		if err := s.SetUserTimeout(*c.timeout); err != nil {
			return err
		}
	}
	if c.interval != nil {
		if err := s.SetKeepAliveInterval(*c.interval); err != nil {
			return err
		}
	}
	if c.count != nil {
		if err := s.SetKeepAliveCount(*c.count); err != nil {
			return err
		}
	}
	if c.enable != nil {
		if err := s.SetKeepAlive(*c.enable); err != nil {
			return err
		}
	}
	if c.idle != nil {
		return s.SetKeepAliveIdle(*c.idle)
	}
	return nil
}

// flags are the flags of set that set c.
func (c change) flags() string {
	var s []string
	if c.enable != nil {
		s = append(s, "-"+onOff(*c.enable))
	}
	if c.idle != nil {
		s = append(s, "-idle "+c.idle.String())
	}
	if c.interval != nil {
		s = append(s, "-interval "+c.interval.String())
	}
	if c.count != nil {
		s = append(s, fmt.Sprintf("-count %d", *c.count))
	}
	if c.timeout != nil {
		s = append(s, "-user-timeout "+c.timeout.String())
	}
	return strings.Join(s, " ")
}

// A job changes one socket.
type job struct {
	socket *census.Socket // as it is after the latest look
	change *change
	force  bool

	looked  bool
	first   census.Socket // as it was before: at the first look, or else in the census
	since   time.Time     // of the first look, then of the first writing
	written bool
	at      census.Socket // as it was before the latest look wrote
	why     obstacle
	err     error
}

func newJob(s *census.Socket, c *change, force bool) *job {
	return &job{socket: s, first: *s, change: c, force: force}
}

// An obstacle is why a user timeout was not set.
type obstacle int

const (
	none   obstacle = iota
	lacks           // multipath TCP has none
	shut            // the peer's window, which the timeout would not wait for
	unsent          // data in flight: the timeout may have passed
	silent          // a keepalive probe may be out: the timeout may have passed
)

// obstacle is what s has against a user timeout of d.
func (j *job) obstacle(s *census.Socket, d time.Duration) obstacle {
	old := s.Config.UserTimeout
	switch {
	case d == 0 && s.HasUserTimeout:
		return none
	case !s.HasUserTimeout:
		return lacks
	case j.force || s.State == census.StateListen || old != 0 && old < d:
		return none
	case s.Shut:
		return shut
	case s.Counted && !s.Heard: // What is pending is no data.
		return silent
	case s.Pending > 0 && (s.Acked-j.first.Acked < j.first.Pending || j.first.Pending == 0):
		return unsent
	case s.Silence >= d:
		return silent
	}
	return none
}

// look is called while the descriptor is held.
func (j *job) look(s *census.Socket, sock tcpopt.Socket) {
	if !j.looked {
		j.looked, j.first, j.since = true, *s, time.Now()
	}
	j.at = *s
	todo := j.change.missing(s.Config)
	j.why = none
	if todo.timeout != nil {
		switch j.why = j.obstacle(s, *todo.timeout); j.why {
		case none:
		case silent:
			todo.timeout = nil
		default:
			return
		}
	}
	if !j.written {
		j.written, j.since = true, time.Now()
	}
	j.err = todo.write(sock)
}

// step looks at the socket and reports whether there is something to wait for.
func (j *job) step() bool {
	if err := j.socket.Visit(j.look); err != nil {
		j.err, j.why = err, none
		return false
	}
	if !j.looked || j.err != nil || j.why == none || j.why == lacks {
		return false
	}
	wait := patience
	if !j.written {
		wait = min(wait, *j.change.timeout)
	}
	return time.Since(j.since) < wait
}

// doJobs waits for all at the same time, until ctx ends.
func doJobs(ctx context.Context, jobs []*job) {
	for len(jobs) > 0 {
		var waiting []*job
		for _, j := range jobs {
			if ctx.Err() != nil {
				j.err = errors.New("interrupted")
			} else if j.step() {
				waiting = append(waiting, j)
			}
		}
		if jobs = waiting; len(jobs) > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// try does nothing but what can be said beforehand.
func (j *job) try() {
	s := j.socket
	j.looked, j.first, j.at = true, *s, *s
	if todo := j.change.missing(s.Config); todo.timeout != nil {
		j.why = j.obstacle(s, *todo.timeout)
	}
}

// printJobs prints what was done, and reports whether that is all there was to do.
func printJobs(w io.Writer, jobs []*job, dry bool) bool {
	changed, same, bad := 0, 0, 0
	for _, j := range jobs {
		s := j.socket
		fmt.Fprintf(w, "%d %s fd %d %v -> %v %s\n", s.PID, printable(s.Command), s.FD, s.Local, s.Remote, s.State)
		fmt.Fprintf(w, "  before   %s\n", settings(&j.first, j.first.Config))
		after, name := s.Config, "after"
		if dry {
			name = "would be"
			after = j.change.missing(after).on(after)
		}
		left := j.explain(dry)
		skipped := dry && (j.why == shut || j.why == unsent || j.why == lacks)
		undone := difference(j.first.Config, after)
		switch {
		case !j.looked || skipped || undone.empty() && left != "":
		case undone.empty():
			fmt.Fprintln(w, "  nothing to change")
			same++
		default:
			fmt.Fprintf(w, "  %-8s %s\n", name, settings(s, after))
			changed++
		}
		if left != "" {
			fmt.Fprintf(w, "  %s\n", left)
			bad++
		}
		if !undone.empty() && !dry {
			end, address := "-remote", s.Remote
			if s.State == census.StateListen {
				end, address = "-local", s.Local
			}
			which := fmt.Sprintf("-pid %d -fd %d", s.PID, s.FD)
			if a := address.Addr().Unmap(); !a.IsUnspecified() {
				which += fmt.Sprintf(" %s %v", end, address)
			}
			fmt.Fprintf(w, "  restore  tcpopt set %s %s\n", which, undone.flags())
			if err := (tcpopt.Config{Idle: j.first.Config.Idle}).Validate(); undone.idle != nil && err != nil {
				fmt.Fprintln(w, "  but its idle time was the system's, and is more than can be set on a socket")
			}
		}
	}
	verb := "changed"
	if dry {
		verb = "would change"
	}
	fmt.Fprintf(w, "%d %s, %d as wanted already, %d not or not wholly done\n", changed, verb, same, bad)
	switch {
	case changed == 0:
	case jobs[0].socket.State == census.StateListen: // There is no other job then.
		fmt.Fprintln(w, "A change lasts until the program listens anew or sets its own; connections that it accepts from now on have it too.")
	default:
		fmt.Fprintln(w, "A change lasts until the program reconnects or sets its own; new connections do not have it.")
	}
	return bad == 0 || dry
}

// on is what becomes of a Config by c.
func (c change) on(config tcpopt.Config) tcpopt.Config {
	if c.enable != nil {
		config.Enable = *c.enable
	}
	if c.idle != nil {
		config.Idle = *c.idle
	}
	if c.interval != nil {
		config.Interval = *c.interval
	}
	if c.count != nil {
		config.Count = *c.count
	}
	if c.timeout != nil {
		config.UserTimeout = *c.timeout
	}
	return config
}

// difference is the change that makes after into before.
func difference(before, after tcpopt.Config) change {
	c := change{&before.Enable, &before.Idle, &before.Interval, &before.Count, &before.UserTimeout}
	return c.missing(after)
}

// explain says what was not done, and why.
func (j *job) explain(dry bool) string {
	if j.err != nil {
		return "failed: " + j.err.Error()
	}
	if j.change.timeout == nil {
		return j.verify()
	}
	s, d := &j.at, *j.change.timeout
	past := "skipped"
	if j.written {
		past = "the user timeout is left alone"
	}
	if dry {
		past = "would be skipped, if that is still so"
	}
	switch j.why {
	case lacks:
		return past + ": multipath TCP has no user timeout; -no-user-timeout leaves it out"
	case shut:
		return fmt.Sprintf("%s: the peer keeps its window shut, and a user timeout of %v would end the connection (-force sets it, -no-user-timeout leaves it out)", past, d)
	case unsent:
		how := "slowly on its way"
		if s.Stuck || s.Acked == j.first.Acked {
			how = "stuck"
		}
		if dry {
			how = "on its way"
		}
		return fmt.Sprintf("%s: data is %s (%s), and a user timeout of %v could end the connection (-force sets it, -no-user-timeout leaves it out)", past, how, plural(int(s.Pending), "byte"), d)
	case silent:
		since := fmt.Sprintf("for %v", s.Silence)
		if !s.Heard {
			since = "from the start"
		}
		if dry {
			return fmt.Sprintf("the user timeout would be set only if the peer, silent %s, answers a probe", since)
		}
		return fmt.Sprintf("the user timeout is left alone: the peer was silent %s and still is, and a user timeout of %v could end the connection (-force sets it)", since, d)
	}
	return j.verify()
}

// verify compares with what the kernel says that it has.
func (j *job) verify() string {
	if left := j.change.missing(j.socket.Config); j.written && !left.empty() {
		return "failed: the kernel did not take " + left.flags()
	}
	return ""
}

func settings(s *census.Socket, c tcpopt.Config) string {
	idle, busy := c.DetectionTime()
	timeout := "none"
	if s.HasUserTimeout {
		timeout = c.UserTimeout.String()
	}
	return fmt.Sprintf("%s, idle %v, interval %v, count %d, user timeout %s; a dead peer is noticed: idle %s, busy %s",
		onOff(c.Enable), c.Idle, c.Interval, c.Count, timeout, noticedIdle(idle), noticedBusy(busy))
}
