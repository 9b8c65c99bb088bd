package census

// A Query says which sockets are wanted: of the zero Query, all but listening
// ones. Where it has several values of one kind, each of them is wanted.
type Query struct {
	PIDs     []int    // none: every process
	Commands []string // of the process; none: any

	CommandLines []string // parts of the process's arguments with spaces between them; none: any
	Users        []uint32 // effective ones of the process; none: any
	Units        []string // of the process, see Unit; none: any
	NetNS        []string // of the socket: the number of a network namespace, or its name for ip-netns(8); none: any

	FD      *int     // nil: any
	States  []string // none: any
	Listen  bool     // listening sockets too
	Owners  bool     // the owners of the processes too
	Details bool     // what is known of their processes and the names of namespaces too
	Limits  bool     // the limits of the system too
	Force   bool     // even if that rewrites the net_cls class of a socket

	Local, Remote []Pattern // none: any
}

// Describes reports whether processes are selected by what they are.
func (q *Query) Describes() bool {
	return len(q.Commands)+len(q.CommandLines)+len(q.Users)+len(q.Units) > 0
}
