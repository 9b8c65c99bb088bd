package main

import (
	"bufio"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt"
)

// A plan is what plan prints, in the form of -json. Null is unbounded, or in
// Config what the system lacks.
type plan struct {
	Version   int               `json:"version"`
	Within    float64           `json:"within_seconds"`
	Config    values            `json:"config"`
	Detection *float64          `json:"detection_seconds"`
	BusyEnd   *float64          `json:"busy_seconds"`
	Idle      []event           `json:"idle"`
	Busy      []event           `json:"busy"`
	Texts     map[string]string `json:"texts"`

	within time.Duration
	config tcpopt.Config
}

// An event is what happens some time after the peer was last heard of or, in
// Busy, after data was sent that stays unacknowledged.
type event struct {
	At   *float64 `json:"at_seconds"`
	What string   `json:"event"`

	at time.Duration
}

// all stands for every target.
const all = "all"

func runPlan(v *verb, args []string, stdout io.Writer) error {
	var flags flag.FlagSet
	var within *time.Duration
	flags.Var(timeFlag{d: &within}, "within", "the `time` within which to notice a dead peer; it may also stand first, without the flag")
	list := flags.Bool("list", false, "list the targets and what each is for")
	asJSON := flags.Bool("json", false, "print a JSON object")
	var names []string
	if err := v.parseOperands(&flags, args, stdout, &names); err != nil {
		return err
	}
	w := bufio.NewWriter(stdout)
	if *list {
		if within != nil || len(names) > 0 || *asJSON {
			return misused(errors.New("-list goes with nothing else"))
		}
		for _, t := range targets() {
			fmt.Fprintf(w, "%-10s  %s\n", t.name, t.title)
		}
		fmt.Fprintf(w, "%-10s  every one of these\n", all)
		return w.Flush()
	}
	if within == nil {
		if len(names) == 0 {
			return misused(errors.New("within what time? A duration such as 30s is needed"))
		}
		if err := (timeFlag{d: &within}).Set(names[0]); err != nil {
			return misused(fmt.Errorf("invalid duration %q: %w", names[0], err))
		}
		names = names[1:]
	}
	chosen, err := choose(names)
	if err != nil {
		return misused(err)
	}
	c, err := tcpopt.Within(*within)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return err
	case err != nil:
		return misused(err)
	}
	p := newPlan(*within, c)
	if chosen == nil && *asJSON {
		chosen = targets()
	}
	for _, t := range chosen {
		if !t.linux() || onLinux(c) {
			p.Texts[t.name] = t.fill(*within, c)
		} else if slices.Contains(names, t.name) {
			return fmt.Errorf("%s: %s", t.name, elsewhere)
		}
	}
	switch {
	case *asJSON:
		err = writeJSON(w, p)
	case chosen == nil:
		w = terminalOf(stdout).writer(stdout)
		p.print(w)
	default: // Not folded: what is pasted is a line where it was one.
		p.printTexts(w, chosen)
	}
	return cmp.Or(err, w.Flush())
}

// choose returns the targets of these names; nil if there is none.
func choose(names []string) (chosen []target, err error) {
	every := targets()
	for _, name := range names {
		i := slices.IndexFunc(every, func(t target) bool { return t.name == name })
		switch {
		case name == all:
			return every, nil
		case i < 0:
			return nil, fmt.Errorf("no target %q; tcpopt plan -list has those there are", name)
		}
		chosen = append(chosen, every[i])
	}
	return chosen, nil
}

// newPlan makes a plan of c, by which an idle dead peer is noticed at some time.
func newPlan(within time.Duration, c tcpopt.Config) *plan {
	idle, busy := c.DetectionTime()
	on := c.KeepAlive == tcpopt.On
	p := &plan{
		Version: 1, Within: within.Seconds(),
		Config: values{
			Enable: &on, Idle: known(c.Idle.Seconds(), false), Interval: known(c.Interval.Seconds(), false),
			Count: known(c.Count, false), UserTimeout: known(c.UserTimeout.Seconds(), false),
		},
		Detection: bounded(idle), BusyEnd: bounded(busy),
		Busy:  []event{{bounded(busy), "dead", busy}},
		Texts: map[string]string{}, within: within, config: c,
	}
	for at := c.MaxSilence(); at < idle; at += c.Interval {
		p.Idle = append(p.Idle, event{bounded(at), "probe", at})
	}
	p.Idle = append(p.Idle, event{bounded(idle), "dead", idle})
	return p
}

func (p *plan) print(w io.Writer) {
	c := p.config
	count, timeout := "the system's", "none here"
	if c.Count > 0 {
		count = strconv.Itoa(c.Count)
	}
	if c.UserTimeout > 0 {
		timeout = short(c.UserTimeout)
	}
	fmt.Fprintf(w, "To notice a dead peer within %s, set on a TCP socket of %s:\n", short(p.within), runtime.GOOS)
	fmt.Fprintf(w, "  keepalive     %s\n", onOff(c.KeepAlive == tcpopt.On))
	fmt.Fprintf(w, "  idle          %s\n", short(c.Idle))
	fmt.Fprintf(w, "  interval      %s\n", short(c.Interval))
	fmt.Fprintf(w, "  count         %s\n", count)
	fmt.Fprintf(w, "  user timeout  %s\n", timeout)

	fmt.Fprint(w, "\nidle: nothing in flight, counted from the last segment received\n")
	for _, e := range p.Idle {
		fmt.Fprintf(w, "  %-9s  %s\n", short(e.at), e.What)
	}
	fmt.Fprint(w, "\nbusy: data unacknowledged, counted from when it was sent\n")
	by := "the user timeout"
	switch {
	case p.BusyEnd == nil:
		by = "its limit for retransmissions"
	case c.UserTimeout == 0:
		by = "keepalive"
	}
	_, busy := c.DetectionTime()
	fmt.Fprintf(w, "  %-9s  dead, by %s\n", busyDetection(busy, nil, short), by)
	fmt.Fprint(w, "\nTimes are nominal: on Linux each timer may run up to 1/8 of its time late.\n")
	if c.UserTimeout > 0 {
		fmt.Fprint(w, "There a user timeout also ends a connection whose peer keeps its window shut.\n")
	}
	fmt.Fprint(w, wrap("", "", onTheWay(c.MaxSilence())))
	switch {
	case !onLinux(c):
		fmt.Fprint(w, wrap("", "", elsewhere))
	case c.UserTimeout == 0:
		fmt.Fprintf(w, "Programs on Linux have a user timeout too, %v: it is in their texts.\n", p.within.Truncate(time.Second))
	}
	var names []string
	for _, t := range targets() {
		if !t.linux() || onLinux(c) {
			names = append(names, t.name)
		}
	}
	fmt.Fprintf(w, "\nIn the terms of a program, ready to paste: tcpopt plan %s TARGET, of\n", short(p.within))
	fmt.Fprint(w, wrap("  ", "  ", strings.Join(append(names, all), " ")))
}

// forgetful are who forgets connections that carry nothing for so long, unless it is
// set otherwise: by the manuals that the package's comment names.
var forgetful = []struct {
	who   string
	after time.Duration
}{{"Azure (4m)", 4 * time.Minute}, {"AWS (350s)", 350 * time.Second}, {"Google Cloud (10m)", 10 * time.Minute}}

// onTheWay says who remembers a connection that while idle is silent for so long, and
// 1/8 longer as Linux may let it be.
func onTheWay(silence time.Duration) string {
	most := silence + silence/8
	var often, seldom []string
	for _, f := range forgetful {
		if most < f.after {
			often = append(often, f.who)
		} else {
			seldom = append(seldom, f.who)
		}
	}
	text := "While idle it carries something at least every " + short(most) + ":"
	if len(often) > 0 {
		text += " often enough for the load balancers and NAT of " + strings.Join(often, ", ")
	}
	switch {
	case len(seldom) > 0 && len(often) > 0:
		text += "; too seldom for those of " + strings.Join(seldom, ", ")
	case len(seldom) > 0:
		text += " too seldom for the load balancers and NAT of " + strings.Join(seldom, ", ")
	}
	return text + ", which forget what is silent for longer."
}

// elsewhere is why a plan of another system is none for programs on Linux.
const elsewhere = "Programs on Linux take whole seconds up to 32767, and a count: for them run this there."

// printTexts prints the texts of targets, each below what it is if there are
// several.
func (p *plan) printTexts(w io.Writer, targets []target) {
	first := true
	for _, t := range targets {
		text, ok := p.Texts[t.name]
		if !ok {
			continue
		}
		if len(targets) > 1 {
			if !first {
				fmt.Fprintln(w)
			}
			fmt.Fprintf(w, "== %s: %s\n\n", t.name, t.title)
		}
		first = false
		io.WriteString(w, text)
	}
}

// onLinux reports whether a socket of Linux takes c, which may be of another
// system.
func onLinux(c tcpopt.Config) bool {
	const most = 32767 * time.Second
	return c.Idle%time.Second == 0 && c.Interval%time.Second == 0 && c.Idle <= most && c.Interval <= most &&
		c.Count >= 1 && c.Count <= 127
}
