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
	if errors.Is(err, census.ErrNoProcess) {
		return nil, fmt.Errorf("no process is named %s", printable(strings.Join(q.Commands, " or ")))
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
// and about whatever keeps all processes from being read. The flag force reads what
// is in a foreign cgroup.
func failures(c *census.Census, q *census.Query, force string) (errs []error) {
	old := false
	for _, d := range c.Denied {
		why := func() string { return d.Explain() + remedy(d.Reason, force) }
		switch {
		case len(q.PIDs) > 0, d.Reason == census.Failed:
			errs = append(errs, fmt.Errorf("process %d: %s", d.PID, why()))
		case len(q.Commands) > 0 && d.Reason != census.Gone:
			errs = append(errs, fmt.Errorf("process %d (%s): %s", d.PID, printable(strings.Join(q.Commands, " or ")), why()))
		case d.Reason == census.KernelTooOld && !old:
			old = true
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
