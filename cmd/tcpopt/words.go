package main

// A glossary explains words that a verb prints.
type glossary struct {
	title string
	words [][2]string // each with what it means
}

// lsWords are the heads of the columns of ls, and what stands under them.
var lsWords = []glossary{
	{"In a terminal, worst first:", [][2]string{
		{"COMMAND", "what the process calls itself, as ps -o comm shows it"},
		{"PID", "the process"},
		{"LOCAL", "the address on this side; where there is little room the port alone"},
		{"REMOTE", "the address of the peer, or listening: then connections inherit what it has"},
		{"KEEPALIVE", "off, or when probes are sent: 2h+9x75s is one after 2h of silence and, unanswered, one each 75s up to 9; 15s+5s has no count, which a user timeout takes the place of"},
		{"NOTICED", "how long a dead peer goes unnoticed while nothing is in flight; never: keepalive is off; in syn-sent, when connect ends"},
		{"BUSY", "how long while data is unacknowledged: the user timeout, or keepalive where that is sooner; 15m24s+: that at least, where the sysctl tcp_retries2 decides, see tcp(7); system: the same, where that cannot be read"},
		{"NOTE", "what is out of the ordinary: signs that make a connection suspect, a state that is not established, mptcp for multipath TCP. Where there is no room it is below its line"},
		{"…", "stands for what is left out"},
	}},
	{"A connection is suspect if", [][2]string{
		{"unanswered", "keepalive has sent probes, and none of the latest was answered"},
		{"stuck", "data was sent again, and is still not acknowledged"},
		{"window shut", "the peer takes no more data; with -wide: shut"},
		{"silent for", "how long ago the peer was last heard of"},
		{"waiting", "data that the peer has not acknowledged"},
	}},
	{"To a pipe or a file, or with -wide, in the order of processes; - is what the kernel does not report:", [][2]string{
		{"FD", "the descriptor of the socket in its process"},
		{"STATE", "of the connection, as ss(8) names it, and listen"},
		{"IDLE", "the silence before the first probe; without effect where KEEPALIVE is off, as INTERVAL and COUNT"},
		{"INTERVAL", "the time between probes"},
		{"COUNT", "of the unanswered probes that end a connection; without effect beside a user timeout"},
		{"USER-TIMEOUT", "how long data may be unacknowledged; 0s: none is set"},
		{"NOTICED-IDLE", "as NOTICED"},
		{"NOTICED-BUSY", "as BUSY"},
		{"PROBES", "that are unanswered"},
		{"SILENCE", "how long ago the peer was last heard of"},
		{"PENDING", "bytes that the peer has not acknowledged"},
		{"SIGN", "shut or stuck, as above, or -"},
		{"MAX-SILENCE", "how long the connection carries nothing, at most, while both sides are alive and neither has anything to send; -quieter is about it; on Linux up to 1/8 more"},
		{"USER", "of the process, as ps -o user shows it, by the names of this system; ? is what could not be read"},
		{"UNIT", "of systemd, or the container, or pod/UID and the container, or else the cgroup of the process"},
		{"NETNS", "the network namespace: its name for ip netns, or else its number"},
		{"CMDLINE", "the command line of the process, or what it has put in its place"},
	}},
	{"With -by:", [][2]string{
		{"SOCKETS", "how many there are"},
		{"OFF", "those without keepalive"},
		{"NEVER", "those whose dead peer would never be noticed while nothing is in flight; with -wide: NEVER-NOTICED"},
		{"SLOWEST", "of the others, how long it takes at most; with -wide: SLOWEST-IDLE"},
		{"SYSTEM", "those that while data is unacknowledged are left to the system; with -wide: BUSY-SYSTEM"},
		{"SUSPECT", "those that are"},
	}},
}
