package census

// A Query says which sockets are wanted: of the zero Query, all but listening
// ones. Where it has several values of one kind, each of them is wanted.
type Query struct {
	PIDs     []int    // none: every process
	Commands []string // of the process; none: any
	FD       *int     // nil: any
	States   []string // none: any
	Listen   bool     // listening sockets too
	Users    bool     // the users of the processes too
	Force    bool     // even if that rewrites the net_cls class of a socket

	Local, Remote []Pattern // none: any
}
