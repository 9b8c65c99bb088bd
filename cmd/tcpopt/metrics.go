package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

const (
	// ranked is how many commands have series of their own.
	ranked = 20

	// others is the command that stands for the rest.
	others = "other"
)

// bounds are the times by which connections are counted, the last of them none.
var bounds = []time.Duration{30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 2 * time.Hour, tcpopt.Unbounded}

// silences are the times by which idle connections are counted: after some of them
// what is on the way forgets a connection that carries nothing.
var silences = []time.Duration{time.Minute, 4 * time.Minute, 350 * time.Second, 10 * time.Minute, 15 * time.Minute, 2 * time.Hour, tcpopt.Unbounded}

func runMetrics(v *verb, args []string, stdout io.Writer) error {
	var flags flag.FlagSet
	var file string
	var every *time.Duration
	flags.Func("o", "replace this `file` in one step, readable by all; node_exporter reads files named *.prom", func(s string) error {
		if s == "" {
			return errors.New("want the name of a file")
		}
		file = s
		return nil
	})
	by := "command"
	flags.Var(wordFlag{&by, []string{"command", "user", "unit", "netns"}}, "by", "count by command, the default, or by user, systemd unit or container, or network namespace `command|user|unit|netns`")
	flags.Var(timeFlag{d: &every, least: time.Second}, "every", "with -o: replace the file again after each `time`, until interrupted")
	if err := v.parse(&flags, args, stdout); err != nil {
		return err
	}
	if every != nil && file == "" {
		return misused(errors.New("-every needs -o"))
	}
	unread, err := writeMetrics(file, by, stdout)
	if every == nil || err != nil {
		return errors.Join(append(unread, err)...)
	}
	// From here on the age of the file says what goes wrong.
	ctx, stop := signal.NotifyContext(context.Background(), interrupts...)
	defer stop()
	tick := time.NewTicker(*every)
	defer tick.Stop()
	var said news
	for {
		if err := said.print(stdout, append(unread, err)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			unread, err = writeMetrics(file, by, stdout)
		}
	}
}

// writeMetrics writes metrics, by one of kinds, to a file, or to stdout if its name
// is empty. It returns what they are without, and why there are none.
func writeMetrics(file, by string, stdout io.Writer) (unread []error, err error) {
	q := census.Query{Owners: true, Details: kindOf(by).details}
	start := time.Now()
	c, err := takeCensus(&q)
	took := time.Since(start)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	printMetrics(&text, c, by, took)
	if file == "" {
		_, err = stdout.Write(text.Bytes())
	} else {
		err = replaceFile(file, text.Bytes())
	}
	return failures(c, &q, "-force"), err
}

// printMetrics prints c, which took so long, by one of kinds, in the text format of
// Prometheus.
func printMetrics(w io.Writer, c *census.Census, by string, took time.Duration) {
	rank(c, by)
	sums := totals(c, "command")
	slices.SortFunc(sums, func(a, b total) int { return strings.Compare(a.by, b.by) })
	family := func(name, help string) {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %[1]s gauge\n", name, help)
	}
	cumulative := func(name string, bounds []time.Duration, measure func(*census.Socket) time.Duration) {
		counts := map[string][]int{}
		for i := range c.Sockets {
			s := &c.Sockets[i]
			if counts[s.Command] == nil {
				counts[s.Command] = make([]int, len(bounds))
			}
			d := measure(s)
			for i, bound := range bounds {
				if d <= bound {
					counts[s.Command][i]++
				}
			}
		}
		for _, t := range sums {
			for i, n := range counts[t.by] {
				bound := "+Inf"
				if bounds[i] != tcpopt.Unbounded {
					bound = fmt.Sprint(bounds[i].Seconds())
				}
				fmt.Fprintf(w, "%s{%s=%s,within_seconds=%q} %d\n", name, by, quote(t.by), bound, n)
			}
		}
	}
	family("tcpopt_connections", "TCP connections of the processes that could be read.")
	for _, t := range sums {
		fmt.Fprintf(w, "tcpopt_connections{%s=%s,keepalive=\"off\"} %d\n", by, quote(t.by), t.Off)
		fmt.Fprintf(w, "tcpopt_connections{%s=%s,keepalive=\"on\"} %d\n", by, quote(t.by), t.Sockets-t.Off)
	}
	family("tcpopt_connections_noticed", "TCP connections that notice a dead peer within that time if nothing is in flight. Cumulative: +Inf has all, also those that never would.")
	cumulative("tcpopt_connections_noticed", bounds, func(s *census.Socket) time.Duration { idle, _ := s.Detection(); return idle })
	family("tcpopt_connections_kept_alive", "TCP connections that while idle carry something at least once in that time. Cumulative: +Inf has all, also those without keepalive.")
	cumulative("tcpopt_connections_kept_alive", silences, func(s *census.Socket) time.Duration { return s.Config.MaxSilence() })
	family("tcpopt_connections_busy_unbounded", "TCP connections that with data in flight leave it to the system when to give up on a dead peer.")
	for _, t := range sums {
		fmt.Fprintf(w, "tcpopt_connections_busy_unbounded{%s=%s} %d\n", by, quote(t.by), t.Busy)
	}
	family("tcpopt_connections_suspect", "TCP connections with unanswered probes, data stuck or the peer's window shut.")
	for _, t := range sums {
		fmt.Fprintf(w, "tcpopt_connections_suspect{%s=%s} %d\n", by, quote(t.by), t.Suspect)
	}
	family("tcpopt_processes_unreadable", "Processes whose connections could not be read, or not all of them.")
	counts := unreadable(c)
	for _, reason := range census.Reasons() {
		if reason == census.Gone || reason == census.Ended {
			continue // What has ended has no connections.
		}
		fmt.Fprintf(w, "tcpopt_processes_unreadable{reason=\"%s\"} %d\n", reason, counts[reason])
	}
	family("tcpopt_processes_hidden", "1 if the mount option hidepid of /proc hides processes, which are not counted then.")
	fmt.Fprintf(w, "tcpopt_processes_hidden %d\n", map[bool]int{true: 1}[c.HidePID != ""])
	if c.Unowned != nil {
		family("tcpopt_sockets_unowned", "TCP sockets of this network namespace, listening ones too, with no owner among the processes read.")
		fmt.Fprintf(w, "tcpopt_sockets_unowned %d\n", *c.Unowned)
	}
	family("tcpopt_scan_duration_seconds", "How long it took to read all this.")
	fmt.Fprintf(w, "tcpopt_scan_duration_seconds %v\n", took.Seconds())
}

// rank makes what connections are counted by their command, as a label and a terminal
// can show it, and of all but ranked of them others.
//
// A command is what a program calls itself, and connections cost nothing, so that
// whoever may run programs could fill all places. They go to the users in turn, the
// lowest number first, for each the command with most connections that has none yet.
func rank(c *census.Census, by string) {
	k := kindOf(by)
	of := map[uint32]*census.Census{}
	for i := range c.Sockets {
		s := &c.Sockets[i]
		s.Command = k.label(s)
		user := c.Owners[s.PID] // Of what is not known, root's.
		if of[user] == nil {
			of[user] = new(census.Census)
		}
		of[user].Sockets = append(of[user].Sockets, *s)
	}
	var queues [][]total
	for _, user := range slices.Sorted(maps.Keys(of)) {
		queues = append(queues, totals(of[user], "command"))
	}
	top := map[string]bool{}
	for left := true; left && len(top) < ranked; {
		left = false
		for i, queue := range queues {
			for len(queue) > 0 && (top[queue[0].by] || queue[0].by == others) {
				queue = queue[1:]
			}
			if len(queue) > 0 && len(top) < ranked {
				top[queue[0].by] = true
				queue = queue[1:]
			}
			queues[i], left = queue, left || len(queue) > 0
		}
	}
	for i := range c.Sockets {
		if s := &c.Sockets[i]; !top[s.Command] {
			s.Command = others
		}
	}
}

// quote is the value of a label.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
