package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tcpopt/tcpopt/internal/census"
)

// takeCensus is census.Take, with errors for a terminal.
func takeCensus(q *census.Query) (*census.Census, error) {
	c, err := census.Take(q)
	var none *census.NoProcessError
	if errors.As(err, &none) {
		text := "no process is " + describe(q)
		switch {
		case none.Hidden > 0:
			text += ", but " + plural(none.Hidden, "process") + " may be: /proc is mounted with the option hidepid, which hides their names"
		case none.HidePID != "":
			text += ", of those that may be seen: /proc is mounted with " + none.HidePID
		}
		return nil, errors.New(text)
	}
	return c, err
}

// describe says what q wants processes to be.
func describe(q *census.Query) string {
	var users, all []string
	for _, u := range q.Users {
		users = append(users, userName(u))
	}
	for _, is := range []struct {
		what  string
		words []string
	}{{"named ", q.Commands}, {"of user ", users}, {"of unit ", q.Units}, {"run with this in its command line: ", q.CommandLines}} {
		if len(is.words) > 0 {
			all = append(all, is.what+printable(strings.Join(is.words, " or ")))
		}
	}
	return strings.Join(all, " and ")
}

// namesProcesses reports whether q names its processes, so that there is an error for each
// that could not be read.
func namesProcesses(q *census.Query) bool { return len(q.PIDs)+len(q.Commands) > 0 }

// unreadable counts the processes that could not be read.
func unreadable(c *census.Census) map[census.Reason]int {
	counts := map[census.Reason]int{}
	for _, d := range c.Denied {
		counts[d.Reason]++
	}
	return counts
}

// failures are the errors about processes that were asked for by their number,
// and about whatever keeps all processes from being read. What ended meanwhile is
// none, nor is what may not be what was asked for. The flag force reads what is in a
// foreign cgroup.
func failures(c *census.Census, q *census.Query, force string) (errs []error) {
	said := map[string]bool{}
	wanted := 0
	for _, d := range c.Denied {
		why := func() string { return d.Explain() + remedy(d.Reason, force) }
		switch {
		case d.Reason == census.Ended:
		case len(q.PIDs) > 0, d.Reason == census.Failed:
			errs = append(errs, fmt.Errorf("process %d: %s", d.PID, why()))
		case len(q.Commands) > 0 && d.Reason != census.Hidden:
			errs = append(errs, fmt.Errorf("process %d (%s): %s", d.PID, printable(d.Command), why()))
		case q.Describes() && !namesProcesses(q) && d.Reason != census.Hidden:
			wanted++
		case (d.Reason == census.KernelTooOld || d.Reason == census.SeccompDenied) && !said[why()]:
			said[why()] = true
			errs = append(errs, errors.New(why()))
		}
	}
	if wanted > 0 { // There may be many, and what is printed says why.
		errs = append(errs, fmt.Errorf("could not be read: %s, of those asked for", plural(wanted, "process")))
	}
	return errs
}

// remedy says that the flag force reads processes all the same, where it does.
func remedy(r census.Reason, force string) string {
	if r == census.ForeignClass {
		return " (" + force + " reads them)"
	}
	return ""
}
