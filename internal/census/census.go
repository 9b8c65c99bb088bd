// Package census finds which process has which TCP sockets, and their settings. It also
// lets its caller change a socket of another process.
package census

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt"
)

// A Socket is a TCP socket of some process, at the time it was read.
type Socket struct {
	PID      int
	Command  string // of the process, which may choose any bytes
	TID      int    // the thread that has the descriptor to itself; 0: the process has it
	FD       int
	Inode    uint32
	NetNS    uint64 // the inode number of the network namespace
	Protocol string // "tcp" or "mptcp"
	Local    netip.AddrPort
	Remote   netip.AddrPort
	State    string

	Config         tcpopt.Config
	HasUserTimeout bool   // multipath TCP has none
	HasPending     bool   // a listening socket has none
	Pending        uint64 // bytes that the peer has not acknowledged

	Connect time.Duration // how long after its start connect ends; 0: the socket is not connecting

	Counted bool // the kernel reports the following, as it does for plain TCP
	Probes  int
	Heard   bool          // something came from the peer
	Silence time.Duration // since then
	Acked   uint64
	Stuck   bool // a retransmission timer ran out since the peer last acknowledged
	Shut    bool // the peer accepts no more data

	// For multipath TCP, set by Visit: the number of paths, and the maximum over them.
	Paths, PathProbes int
	PathSilence       time.Duration

	// If the Query asks.
	Process   *Process // nil: not asked
	NetNSName string   // in ip-netns(8); empty: none
	Limit     *Limit   // of its network namespace; nil: unknown

	Held time.Duration // how long the duplicate of its descriptor existed
}

// Suspect reports whether s shows signs of a peer that is gone or does not read.
func (s *Socket) Suspect() bool { return s.Probes > 0 || s.Stuck || s.Shut }

// A Census has the wanted sockets, and what could not be seen.
type Census struct {
	Sockets []Socket
	Denied  []Denial
	Owners  map[int]uint32 // the owners of processes, if the Query asks and they are known
	Unowned *int           // sockets of this network namespace that belong to no readable process; nil: not counted

	Uncounted int // how many of Sockets are connections without counters from the kernel

	HidePID    string // the mount option of /proc that hides processes from this one; empty: it sees all
	Uncompared bool   // without kcmp(2), descriptors that a thread has to itself were not found
}

// A Process describes a process with sockets. A nil field could not be read.
type Process struct {
	CommandLine *string // its arguments with spaces between them, or what it has replaced them with
	User        *uint32 // the effective one
	Unit        *Unit
}

// A Denial is a process that could not be read in full.
type Denial struct {
	PID     int
	Command string // of the process; empty: unknown
	Reason  Reason
	Call    string // the system call that failed; empty: none
	Err     error
}

// Meaning returns the meaning of d's reason.
func (d Denial) Meaning() string {
	if d.Reason == SeccompDenied && d.Call != "" {
		return strings.Replace(d.Reason.Meaning(), "a system call that this takes", d.Call, 1)
	}
	return d.Reason.Meaning()
}

// A Reason is why a process could not be read. Users know it by its text.
type Reason string

// The reasons, in the order of Reasons.
const (
	ListingDenied Reason = "listing_denied"
	ListingBanned Reason = "listing_denied_by_security_module"
	Hidden        Reason = "hidden"
	YamaDenied    Reason = "taking_denied_by_yama"
	SeccompDenied Reason = "taking_denied_by_seccomp"
	TakingDenied  Reason = "taking_denied_by_security_module"
	ForeignClass  Reason = "foreign_net_cls"
	KernelTooOld  Reason = "kernel_too_old"
	ThreadTooOld  Reason = "kernel_too_old_for_threads"
	Gone          Reason = "gone"
	Ended         Reason = "ended"
	Failed        Reason = "failed"
)

var meanings = []struct {
	reason  Reason
	meaning string
}{
	{ListingDenied, "their descriptors may not be listed without CAP_SYS_PTRACE, or as their user if they are dumpable"},
	{ListingBanned, "their descriptors may not be listed: a security module forbids it"},
	{Hidden, "hidden from this process: /proc is mounted with the option hidepid"},
	{YamaDenied, "descriptors may be listed but not taken: the sysctl kernel.yama.ptrace_scope forbids it (1 and 2: without CAP_SYS_PTRACE; 3: to everybody until the machine restarts)"},
	{SeccompDenied, "descriptors may be listed but not taken and read: a seccomp filter on this process forbids a system call that this takes"},
	{TakingDenied, "descriptors may be listed but not taken and read: a security module forbids it"},
	{ForeignClass, "in another net_cls or net_prio cgroup, which reading would rewrite on their sockets"},
	{KernelTooOld, "the kernel has no pidfd_getfd, which came with Linux 5.6"},
	{ThreadTooOld, "the first thread has ended, or another has descriptors of its own: before Linux 6.9 those cannot be taken"},
	{Gone, "no such process"},
	{Ended, "ended while they were read"},
	{Failed, "failed for another reason"},
}

// Reasons returns all reasons.
func Reasons() []Reason {
	all := make([]Reason, len(meanings))
	for i := range meanings {
		all[i] = meanings[i].reason
	}
	return all
}

// Meaning says what r means for the processes that have it.
func (r Reason) Meaning() string {
	for _, row := range meanings {
		if row.reason == r {
			return row.meaning
		}
	}
	return string(r)
}

// A NoProcessError says that no visible process has the command, command line, user and
// unit of a Query.
type NoProcessError struct {
	HidePID string // as in a Census
	Hidden  int    // how many processes have these hidden
}

func (e *NoProcessError) Error() string { return "no process matches" }

// states are ss(8)'s names for the states of RFC 9293, by their number in the kernel's
// include/net/tcp_states.h.
var states = [...]string{"", "established", StateConnect, "syn-recv", "fin-wait-1", "fin-wait-2",
	"time-wait", "closed", "close-wait", "last-ack", "listen", "closing"}

// timeWait is the state of a socket that no process has any more.
const timeWait = 6

// StateConnect is the state of a socket that waits for the peer to answer.
const StateConnect = "syn-sent"

// StateListen is the state of a listening socket.
const StateListen = "listen"

// StateClosed is the state of a socket that is not connected yet, or no longer.
const StateClosed = "closed"

// States returns the states that a Socket may be in: all but timeWait.
func States() []string { return slices.Concat(states[1:timeWait], states[timeWait+1:]) }
