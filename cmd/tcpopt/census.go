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
		text := "no process is named " + printable(strings.Join(q.Commands, " or "))
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
	for _, d := range c.Denied {
		why := func() string { return d.Explain() + remedy(d.Reason, force) }
		switch {
		case d.Reason == census.Ended:
		case len(q.PIDs) > 0, d.Reason == census.Failed:
			errs = append(errs, fmt.Errorf("process %d: %s", d.PID, why()))
		case len(q.Commands) > 0 && d.Reason != census.Hidden:
			errs = append(errs, fmt.Errorf("process %d (%s): %s", d.PID, printable(d.Command), why()))
		case (d.Reason == census.KernelTooOld || d.Reason == census.SeccompDenied) && !said[why()]:
			said[why()] = true
			errs = append(errs, errors.New(why()))
		}
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
