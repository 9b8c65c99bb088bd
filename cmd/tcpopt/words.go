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
		{"LOCAL", "the address on this side, or only its port where there is little room"},
		{"REMOTE", "the address of the peer, or listening: then accepted connections inherit these options"},
		{"KEEPALIVE", "off, or when probes are sent: 2h+9x75s is a probe after 2h of silence and then, while none is answered, one every 75s up to 9. 15s+5s has no count, since a user timeout takes its place"},
		{"NOTICED", "how long it takes to notice a dead peer while nothing is in flight; never: keepalive is off; in syn-sent: when connect ends"},
		{"BUSY", "how long it takes while data is unacknowledged: the user timeout, or keepalive where that is sooner. 15m24s+: at least that long, since the sysctl tcp_retries2 decides, see tcp(7); system: the same, where the sysctl cannot be read"},
		{"NOTE", "anything unusual: why a connection is suspect, a state other than established, mptcp for multipath TCP. Where there is no room, it stands on the next line"},
		{"…", "stands for what is left out"},
	}},
	{"A connection is suspect if", [][2]string{
		{"unanswered", "probes were sent since the peer was last heard of, and none was answered"},
		{"stuck", "data was sent more than once and is still unacknowledged"},
		{"window shut", "the peer takes no more data; with -wide: shut"},
		{"silent for", "how long ago the peer was last heard of"},
		{"waiting", "data that the peer has not acknowledged"},
	}},
	{"To a pipe or a file, or with -wide, ordered by process; - is what the kernel does not report:", [][2]string{
		{"FD", "the descriptor of the socket in its process"},
		{"STATE", "the state of the connection, as ss(8) names it, or listen"},
		{"IDLE", "the silence before the first probe; like INTERVAL and COUNT it has no effect where KEEPALIVE is off"},
		{"INTERVAL", "the time between probes"},
		{"COUNT", "the number of unanswered probes that end a connection; a user timeout takes its place"},
		{"USER-TIMEOUT", "how long data may be unacknowledged; 0s: none is set"},
		{"NOTICED-IDLE", "as NOTICED"},
		{"NOTICED-BUSY", "as BUSY"},
		{"PROBES", "the number of unanswered probes"},
		{"SILENCE", "how long ago the peer was last heard of"},
		{"PENDING", "bytes that the peer has not acknowledged"},
		{"SIGN", "shut or stuck, as above, or -"},
		{"MAX-SILENCE", "the longest time that the connection carries nothing while both sides are alive and neither sends; on Linux up to 1/8 more. -quieter selects by it"},
		{"USER", "the user of the process, by the names of this system, as ps -o user shows it; ? is what could not be read"},
		{"UNIT", "the systemd unit of the process, its container, pod/UID and container, or else its cgroup"},
		{"NETNS", "the network namespace, by its name for ip netns or by its number"},
		{"CMDLINE", "the command line of the process, or what the process has put in its place"},
	}},
	{"With -by:", [][2]string{
		{"SOCKETS", "the number of sockets"},
		{"OFF", "the number without keepalive"},
		{"NEVER", "the number that would never notice a dead peer while nothing is in flight; with -wide: NEVER-NOTICED"},
		{"SLOWEST", "the longest time that any of the others takes; with -wide: SLOWEST-IDLE"},
		{"SYSTEM", "the number that leave it to the system while data is unacknowledged; with -wide: BUSY-SYSTEM"},
		{"SUSPECT", "the number of suspect connections"},
	}},
}
