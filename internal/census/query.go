package census

// A Query says which sockets are wanted. The zero Query wants all but listening ones.
// If a field has several values, a socket may match any of them.
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
	Details bool     // details of the processes and names of namespaces too
	Limits  bool     // the limits of the system too
	Force   bool     // even if reading rewrites the net_cls class of a socket

	Local, Remote []Pattern // none: any
}

// Describes reports whether q selects processes by what they are.
func (q *Query) Describes() bool {
	return len(q.Commands)+len(q.CommandLines)+len(q.Users)+len(q.Units) > 0
}
