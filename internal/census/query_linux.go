package census

import (
	"net/netip"
	"slices"
)

// mayWant reports whether the socket, whoever owns it, is wanted as far as the kernel's
// tables show. They have no zones.
func (q *Query) mayWant(local, remote netip.AddrPort, state string) bool {
	return (state != StateListen || q.Listen) && (len(q.States) == 0 || slices.Contains(q.States, state)) &&
		matchAny(q.Local, local, (*Pattern).mayMatch) && matchAny(q.Remote, remote, (*Pattern).mayMatch)
}

// wants reports whether a socket that passed mayWant is wanted.
func (q *Query) wants(s *Socket) bool {
	return matchAny(q.Local, s.Local, (*Pattern).match) && matchAny(q.Remote, s.Remote, (*Pattern).match)
}

// named reports whether processes with this command are wanted. The kernel keeps
// 15 bytes of a command.
func (q *Query) named(command string) bool {
	return len(q.Commands) == 0 || slices.ContainsFunc(q.Commands, func(c string) bool { return c[:min(len(c), 15)] == command })
}

// selects reports whether q selects processes.
func (q *Query) selects() bool { return len(q.PIDs) > 0 || q.Describes() }
