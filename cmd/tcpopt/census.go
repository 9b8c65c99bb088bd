package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt"
)

// A tcpSocket is a TCP socket of some process, as it was when it was looked at.
type tcpSocket struct {
	pid      int
	command  string
	fd       int
	inode    uint32
	netns    uint64 // the inode number of the namespace; 0: not known
	protocol string // "tcp" or "mptcp"
	local    netip.AddrPort
	remote   netip.AddrPort
	state    string // a name of states

	config         tcpopt.Config
	hasUserTimeout bool // multipath TCP has none
	counted        bool // the kernel told the following, as it does of a connection of plain TCP
	probes         int
	silence        time.Duration // tcpopt.Unbounded: nothing was heard of the peer yet
	acked          uint64
	stuck          bool // a retransmission timer ran out since the peer last acknowledged
	shut           bool // the peer takes no more
	pending        uint64

	held time.Duration // how long the duplicate of its descriptor existed
}

// states are the states of RFC 9293 by their number in the kernel's
// include/net/tcp_states.h, and by the name that ss(8) has for them.
var states = [...]string{"", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2",
	"time-wait", "closed", "close-wait", "last-ack", "listen", "closing"}

// timeWait is the one of a socket that no process has any more, and ownable are the
// others.
const timeWait = 6

var ownable = slices.Concat(states[1:timeWait], states[timeWait+1:])

// suspect reports whether s shows signs of a peer that is gone or does not read.
func (s *tcpSocket) suspect() bool { return s.probes > 0 || s.stuck || s.shut }

// A query says which sockets are wanted.
type query struct {
	pids    []int  // none: every process
	command string // of the process; empty: any
	fd      int    // negative: any
	state   string // empty: any
	listen  bool   // listening sockets too
	force   bool   // even if that rewrites the net_cls class of a socket

	local, remote *pattern // nil: any
}

// A census is the sockets that are wanted, and what could not be seen.
type census struct {
	sockets []tcpSocket
	denied  []denial
	unowned int // sockets of this network namespace that no readable process has; negative: not counted
}

// A denial is a process that could not be read, or not wholly.
type denial struct {
	pid    int
	reason reason
	err    error // of an unexpected reason
}

// A reason is why a process could not be read, as in the JSON of ls.
type reason string

const (
	listingDenied reason = "listing_denied"
	takingSeccomp reason = "taking_denied_by_seccomp"
	takingYama    reason = "taking_denied_by_yama"
	takingDenied  reason = "taking_denied_by_security_module"
	foreignClass  reason = "foreign_net_cls"
	kernelTooOld  reason = "kernel_too_old"
	gone          reason = "gone"
	unexpected    reason = "failed"
)

// reasons are all of them, each with what it means, in the order of a summary.
var reasons = []struct {
	reason reason
	text   string
}{
	{listingDenied, "their descriptors may not be listed without CAP_SYS_PTRACE, or as their user if they are dumpable"},
	{takingYama, "descriptors may be listed but not taken: the sysctl kernel.yama.ptrace_scope forbids it (1 and 2: without CAP_SYS_PTRACE; 3: to everybody until the machine restarts)"},
	{takingSeccomp, "descriptors may be listed but not taken: a seccomp filter on this process forbids pidfd_getfd"},
	{takingDenied, "descriptors may be listed but not taken: a security module forbids it"},
	{foreignClass, "in another net_cls or net_prio cgroup, which reading would rewrite on their sockets (-force reads them)"},
	{kernelTooOld, "the kernel has no pidfd_getfd, which came with Linux 5.6"},
	{gone, "gone before they could be read"},
	{unexpected, "failed for another reason"},
}

func (r reason) text() string {
	for _, row := range reasons {
		if row.reason == r {
			return row.text
		}
	}
	return string(r)
}

// unreadable counts the processes that could not be read.
func (c *census) unreadable() map[reason]int {
	counts := map[reason]int{}
	for _, d := range c.denied {
		counts[d.reason]++
	}
	return counts
}

// failures are the errors about processes that were asked for by their number,
// and about whatever keeps all processes from being read.
func (c *census) failures(q *query) (errs []error) {
	old := false
	for _, d := range c.denied {
		switch {
		case len(q.pids) > 0, d.reason == unexpected:
			errs = append(errs, fmt.Errorf("process %d: %s", d.pid, d.explain()))
		case q.command != "" && d.reason != gone:
			errs = append(errs, fmt.Errorf("process %d (%s): %s", d.pid, printable(q.command), d.explain()))
		case d.reason == kernelTooOld && !old:
			old = true
			errs = append(errs, fmt.Errorf("%s", d.reason.text()))
		}
	}
	return errs
}

// printable is a name that somebody else chose, fit for a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, s)
}
