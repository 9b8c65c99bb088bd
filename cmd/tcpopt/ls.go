package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

func runLs(v *verb, args []string, stdout io.Writer) error {
	var flags flag.FlagSet
	var sel selection
	sel.flags(&flags)
	q := &sel.query
	flags.BoolVar(&q.Listen, "listen", false, "also list listening sockets, whose options the connections inherit")
	flags.BoolVar(&q.Force, "force", false, "also read processes in another net_cls or net_prio cgroup, which moves their sockets to this one's")
	var by string
	// -off was the filter, and is what set does.
	flags.BoolFunc("off", "", func(string) error {
		return errors.New("that is what set does; -without-keepalive lists the sockets whose keepalive is off")
	})
	flags.Var(wordFlag{&by, kindWords()}, "by", "print totals by command, remote address without its port, command line, user, systemd unit or container, or network namespace `"+strings.Join(kindWords(), "|")+"`")
	check := flags.Bool("check", false, "exit with status 3 if anything matches")
	asJSON := flags.Bool("json", false, "print a JSON object")
	var wide wideFlag
	flags.Var(&wide, "wide", "print all columns, as to a pipe or a file; -wide=false: print what a terminal shows, to a pipe too")
	if err := v.parse(&flags, args, stdout); err != nil {
		return err
	}
	if *asJSON && wide.wide != nil {
		return misused(errors.New("-json and -wide exclude each other"))
	}
	q.Listen = q.Listen || slices.Contains(q.States, census.StateListen)
	t := wide.terminal(stdout)
	if *asJSON {
		t = nil
	}
	q.Limits = by == "" || *asJSON
	q.Details = by == "" && t == nil || *asJSON || by != "" && kindOf(by).details
	c, err := sel.take()
	if err != nil {
		return err
	}
	w := t.writer(stdout)
	if *asJSON {
		err = writeJSON(w, newListing(c, by))
	} else {
		// Little of what is allocated from here on is garbage.
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
		printCensus(w, c, by, t)
	}
	if err := errors.Join(append(failures(c, q, "-force"), cmp.Or(err, w.Flush()))...); err != nil {
		return err
	}
	if *check && len(c.Sockets) > 0 {
		return &exit{status: found}
	}
	return nil
}

// A wideFlag is nil where neither was asked for.
type wideFlag struct{ wide *bool }

func (f *wideFlag) String() string   { return "" }
func (f *wideFlag) IsBoolFlag() bool { return true }

func (f *wideFlag) Set(s string) error {
	wide, err := strconv.ParseBool(s)
	if err != nil {
		return errors.New("want true or false")
	}
	f.wide = &wide
	return nil
}

// terminal is what to fit the output to, or nil.
func (f *wideFlag) terminal(stdout io.Writer) *terminal {
	t := terminalOf(stdout)
	switch {
	case f.wide != nil && *f.wide:
		return nil
	case f.wide != nil && t == nil:
		return newTerminal(0)
	}
	return t
}

// printCensus fits what it prints to t, if that is not nil.
func printCensus(w io.Writer, c *census.Census, by string, t *terminal) {
	switch {
	case by != "":
		printTotals(w, totals(c, by), by, t)
	case len(c.Sockets) == 0:
	case t == nil:
		tableOf(wideColumns, c.Sockets).print(w)
	default:
		worst := slices.Clone(c.Sockets)
		slices.SortStableFunc(worst, func(a, b census.Socket) int { return worse(&a, &b) })
		printScreen(w, t, socketColumns, worst)
	}
	summarize(w, c)
	if t == nil || len(c.Sockets) == 0 {
		return
	}
	hint := "tcpopt ls -wide has all columns, -h explains them."
	if by == "" && t.height > 0 && len(c.Sockets) >= t.height {
		hint = "The worst are on top. tcpopt ls -by command sums them up, -h explains them."
	}
	w.Write(append(t.paint(nil, dim, cutEnd(hint, t.width)), '\n'))
}

// summarize says what was counted, and whatever could not be seen.
func summarize(w io.Writer, c *census.Census) {
	off, suspect := 0, 0
	for i := range c.Sockets {
		if c.Sockets[i].Config.KeepAlive != tcpopt.On {
			off++
		}
		if c.Sockets[i].Suspect() {
			suspect++
		}
	}
	fmt.Fprintf(w, "%s, %d without keepalive, %d suspect\n", plural(len(c.Sockets), "socket"), off, suspect)
	printUnreadable(w, c, "-force")
}

// named is how many processes are named of those that have something in common.
const named = 5

// printUnreadable says what could not be seen. The flag force reads what is in a
// foreign cgroup.
func printUnreadable(w io.Writer, c *census.Census, force string) {
	if n := len(c.Denied); n > 0 {
		fmt.Fprintf(w, "%s could not be read:\n", plural(n, "process"))
	}
	said := map[string]bool{}
	for _, reason := range census.Reasons() {
		for _, d := range c.Denied {
			what := d.Meaning() + remedy(d.Reason, force)
			if d.Reason != reason || said[what] {
				continue
			}
			said[what] = true
			var who []string
			for _, other := range c.Denied {
				if other.Meaning() == d.Meaning() {
					who = append(who, strings.TrimSuffix(strconv.Itoa(other.PID)+" "+printable(other.Command), " "))
				}
			}
			all, more := len(who), ""
			if all > named {
				who, more = who[:named], fmt.Sprintf(" and %d more", all-named)
			}
			fmt.Fprintf(w, "  %s%s: %s\n", strings.Join(who, ", "), more, what)
		}
	}
	if c.Uncounted > 0 {
		fmt.Fprintf(w, "%s without counters, as multipath TCP is: not known whether suspect\n", plural(c.Uncounted, "connection"))
	}
	if c.HidePID != "" {
		fmt.Fprintf(w, "there may be more processes, which are hidden: /proc is mounted with %s\n", c.HidePID)
	}
	if c.Uncompared {
		fmt.Fprintln(w, "the kernel has no kcmp(2), or it is forbidden: descriptors that a thread has to itself are not seen")
	}
	if c.Unowned != nil && *c.Unowned > 0 {
		fmt.Fprintf(w, "%s of this network namespace in no process that could be read\n", plural(*c.Unowned, "socket"))
	}
}
