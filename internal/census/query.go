package census

// A Query says which sockets are wanted: of the zero Query, all but listening ones.
type Query struct {
	PIDs    []int  // none: every process
	Command string // of the process; empty: any
	FD      *int   // nil: any
	State   string // empty: any
	Listen  bool   // listening sockets too
	Force   bool   // even if that rewrites the net_cls class of a socket

	Local, Remote *Pattern // nil: any
}
