// Tcpopt shows how this system notices dead TCP peers, and changes it.
//
// Usage:
//
//	tcpopt defaults [flags]
//	tcpopt ls [flags]
//	tcpopt set [flags]
//	tcpopt plan D [TARGET...] [flags]
//	tcpopt demo [flags]
//	tcpopt metrics [flags]
//	tcpopt completion [bash|zsh|fish]
//	tcpopt man
//	tcpopt version
//
// tcpopt COMMAND -h prints the flags of a command, and so does the manual page that
// tcpopt man prints. A time is a number with a unit: 30s, 1m30s, 2h or 1d.
//
// # tcpopt defaults
//
// Defaults prints the keepalive that a new socket gets and the system-wide settings
// behind it. It also tries each option on a new socket, and prints which of them this
// system can get and set. A container has settings of its own: -pid N prints those of
// the network namespace of process N. To enter a namespace takes CAP_SYS_ADMIN, which
// root has.
//
// With -json it prints one object. Times are in seconds, and null is a value that the
// system does not report. The field system_limit_seconds is the time that the sysctl
// tcp_retries2 stands for, see tcp(7): the system keeps unacknowledged data for at
// least that long. It gives up when the next retransmission is due, which may be up to
// two minutes later. A socket may give up sooner if its program has set TCP_RTO_MAX_MS,
// an option of Linux 6.15.
//
//	$ tcpopt defaults
//	A new TCP socket on linux has
//	  keepalive     off
//	  idle          2h
//	  interval      75s
//	  count         9
//	  user timeout  0s (the system's own limit, at least 15m24.6s)
//
//	set for the whole system by
//	  net.ipv4.tcp_keepalive_time = 7200 s
//	  net.ipv4.tcp_keepalive_intvl = 75 s
//	  net.ipv4.tcp_keepalive_probes = 9
//	  net.ipv4.tcp_retries2 = 15
//
//	and takes these options
//	  SO_KEEPALIVE      enable        get and set
//	  TCP_KEEPIDLE      idle          get and set
//	  TCP_KEEPINTVL     interval      get and set
//	  TCP_KEEPCNT       count         get and set
//	  TCP_USER_TIMEOUT  user timeout  get and set
//
// # tcpopt ls
//
// Ls lists the TCP sockets of the processes given by -pid or -name, or of all
// processes that it may read. For each it prints the keepalive and how long a dead peer
// would go unnoticed. That time is given twice. The first is for an idle connection,
// where "never" means that keepalive is off. The second is for one with unacknowledged
// data. There "15m24s+" means that the sysctl tcp_retries2 of its network namespace
// decides, and that it takes at least that long; "system" is the same where ls may not
// enter that namespace. In syn-sent both times are when connect ends, counted from its
// start: keepalive has no part in that.
//
// If a flag is given several times, one match is enough; different flags must all
// match. A link-local address is shown with its device, as fe80::2%eth0. As a pattern
// it then matches on that device alone, and without a device on any. The summary names
// the processes that could not be read, and why, but not those that ended meanwhile. A
// socket stays unseen if ls can read no process in its network namespace.
//
// Which pod is that? -cmdline, -user and -unit also select processes: by a part of the
// command line, by user and by unit. -netns selects sockets by network namespace, and
// -by adds up by any of these. A unit comes from the cgroup of the process. It is a
// unit of systemd, such as nginx.service; a container, docker/4f797c539e6c; or a pod
// of Kubernetes with its container, pod/UID/4f797c539e6c. Ls knows the cgroups of
// Docker, Podman, containerd, CRI-O, the kubelet, LXC and systemd; any other cgroup is
// a unit by itself. Whoever makes a cgroup chooses its name, so a name proves nothing.
// This finds the pod of a UID: kubectl get pods -A -o
// custom-columns=UID:.metadata.uid,POD:.metadata.name. Two containers may have the same
// addresses; they differ in unit and network namespace.
//
//	$ tcpopt ls -by unit
//	$ tcpopt set -unit docker/4f797c539e6c -within 30s -dry-run
//
// In a terminal, ls fits its output to the width, or to COLUMNS. What needs attention
// comes first, in red unless NO_COLOR is set: suspect connections and why they are
// suspect, then those that take longest to notice a dead peer.
//
//	COMMAND         PID  LOCAL   REMOTE                  KEEPALIVE  NOTICED     BUSY
//	sync          24792  :38288  10.20.30.40:8443        off          never  15m24s+
//	    window shut, 3693 KiB waiting, silent for 19s
//	psql          24841  :38300  10.20.30.7:5432         off          never  15m24s+
//	postgres      24455  :5432   [2001:db…11:2222]:6099  2h+9x75s     2h11m  15m24s+
//	redis-server  24308  :6379   10.20.30.9:44092        5m+3x100s      10m  15m24s+
//	worker        24793  :40506  10.20.30.40:8443        15s+5s         30s      30s
//
// To a pipe or a file, and with -wide, ls prints all columns, ordered by process.
// Later versions add columns at the end only. With -wide=false a pipe gets what a
// terminal gets, for less(1) or watch(1). Ls -h explains each word. Set, plan and
// defaults fold long lines between words in a terminal.
//
//	$ tcpopt ls -name postgres
//	COMMAND    PID  LOCAL          REMOTE          KEEPALIVE  NOTICED     BUSY
//	postgres  4712  10.0.0.5:5432  10.0.0.8:50230  off          never  15m24s+
//	postgres  4711  10.0.0.5:5432  10.0.0.7:41874  2h+9x75s     2h11m  15m24s+
//	2 sockets, 1 without keepalive, 0 suspect
//	tcpopt ls -wide has all columns, -h explains them.
//
// # tcpopt set
//
// Set changes the keepalive of live sockets. It prints how to restore what was there,
// even if it is interrupted. It ends no connection that would have lived had set left
// it alone. Probes may be unanswered, or the silence so long that fewer than two probes
// fit before the new end. Then set first makes the connection send probes, and writes
// only when the peer has answered. If there is no answer within 3 s, set leaves all as
// it was, except that it raises the count or the user timeout to make up for the probes
// it caused. A connection without keepalive gets it at once, and ends by it if its peer
// stays silent. Set writes no user timeout while data, or a shut window, waits for the
// peer. -force with a word lifts one of these guards: silent, unacked or window; and
// cgroup is for processes in another net_cls or net_prio cgroup. A connection that
// turns out to be dead ends, and counts as a success. For a listener, set prints whether
// accepted connections were seen to inherit its options.
//
// Set takes the flags by which ls selects sockets, and with one of them it needs no
// process. Its flags -on and -off switch keepalive; they select nothing. For set as for
// ls, -without-keepalive selects the sockets whose keepalive is off.
//
//	$ tcpopt set -name postgres -within 30s -dry-run
//	4711 postgres fd 9 10.0.0.5:5432 -> 10.0.0.7:41874 established
//	  before   on, idle 2h, interval 75s, count 9, user timeout 0s; a dead peer is noticed: idle 2h11m15s, busy system, at least 15m24s
//	  planned  on, idle 15s, interval 5s, count 3, user timeout 30s; a dead peer is noticed: idle 30s, busy 30s
//	4712 postgres fd 9 10.0.0.5:5432 -> 10.0.0.8:50230 established
//	  before   off (idle 2h, interval 75s, count 9), user timeout 0s; a dead peer is noticed: idle never, busy system, at least 15m24s
//	  planned  on, idle 15s, interval 5s, count 3, user timeout 30s; a dead peer is noticed: idle 30s, busy 30s
//	2 would change, 0 as wanted already, 0 would not or might not
//	A change lasts until the program reconnects or sets its own; new connections do not have it: -every changes those too.
//
// With -every D, set looks again after each D and changes new connections too, until
// it is interrupted or all processes of -pid have ended. Once for each connection it
// prints what it changed, with the values before, or what it left alone. It does not
// write again what is as wanted. If the program sets something else later, set writes
// once more, and no more than once.
//
//	$ tcpopt set -name billing -without-keepalive -within 30s -every 10s -yes
//	looking every 10s: 1 connection now, 1 to be changed; from here on only changes are printed
//	4711 billing fd 8 10.0.0.5:41874 -> 10.0.0.7:6379 established: set -on -idle 15s -interval 5s -count 3 -user-timeout 30s; it had -off -idle 2h -interval 75s -count 9 -user-timeout 0s
//	^Cinterrupted after 70s: 1 change made, 0 connections found dead, 0 not done or not fully
//
// # tcpopt plan
//
// Plan prints the Config with which a socket of this system notices a dead peer
// within D, and when each probe goes out and the connection ends. For each target it
// prints how to configure that program, ready to paste, and what that program cannot
// do. -list prints the targets, and all stands for every one of them. Each text but
// Envoy's was given to the program itself, whose sockets then had these values.
//
//	$ tcpopt plan 30s libpq
//	keepalives=1 keepalives_idle=15 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=30000
//
// With -json it prints one object. Its fields are version, which is 1, within_seconds,
// config, detection_seconds and busy_seconds; idle and busy, the two timelines, whose
// elements have at_seconds and event; and texts, by target. Null is what the system
// lacks. In busy_seconds, and in an at_seconds of busy, null is unbounded.
//
// # tcpopt demo
//
// Demo cuts the cable of a private network with two idle connections. One is as every
// new socket is, and notices nothing. The other notices within a time that -within
// sets, or 6 s. In a terminal both timelines move. Where network namespaces are not
// allowed, both connections are on loopback, and demo makes their peers deaf. Demo
// needs Linux but no privileges. However it ends, it leaves nothing behind.
//
//	$ tcpopt demo
//	Two hosts in a private network, a cable between them and two idle connections:
//	  defaults   keepalive off, as every new socket has it
//	  within 6s  keepalive on, idle 3s, interval 1s, count 3, user timeout 6s
//	    time  defaults    within 6s
//	     -1s  connected   connected
//	      0s  the cable is cut
//	      3s  connected   connected, 1 probe unanswered
//	      4s  connected   connected, 2 probes unanswered
//	    5.2s  connected   connected, 3 probes unanswered
//	    6.1s  connected   noticed after 6.1s, read: connection timed out
//
//	The second noticed after 6.1s, read: connection timed out; planned: 6s.
//	The first is still connected. While it sends nothing, it notices: never.
//	With keepalive on, this system's times would make that 2h11m15s.
//
// # tcpopt metrics
//
// Metrics prints gauges in the text format of Prometheus: counts of the connections
// of all processes that it may read, for 20 commands, and for all others together. A
// command is the name that a program gives itself. So that no user can fill the 20
// places, the users take turns, the lowest number first: each turn gives a place to the
// command of that user that has most connections and no place yet. In a user namespace,
// the user is the one who made it. With -by, the user, the unit or the network namespace
// takes the place of the command, as a label of that name.
//
// With -o FILE metrics replaces FILE in one step, as the textfile collector of
// node_exporter needs it, and removes what killed runs have left beside it. With -every
// D as well it does so again each D, where no timer can run it. A host has at most 370
// series, however many commands and connections it has.
//
//	$ tcpopt metrics
//	# HELP tcpopt_connections TCP connections of the processes that could be read.
//	# TYPE tcpopt_connections gauge
//	tcpopt_connections{command="postgres",keepalive="off"} 1
//	tcpopt_connections{command="postgres",keepalive="on"} 1
//	...
//
// # tcpopt completion
//
// Completion prints a script for bash 4 and later, zsh or fish. Source it, or install
// it: in /etc/bash_completion.d, as _tcpopt in a folder of zsh's fpath, or as
// tcpopt.fish in a folder of fish's completions.
//
//	$ source <(tcpopt completion bash)
//
// # tcpopt man
//
// Man prints this page for man(1), with the flags of all commands.
//
//	$ tcpopt man >tcpopt.1 && man ./tcpopt.1
//
// # tcpopt version
//
// Version, or -version, prints the version, the revision of the repository and whether
// it was modified, and the Go that built it, as far as the build recorded them.
//
//	$ tcpopt version
//	tcpopt v1.2.3, revision 8f14e45fceea167a5a36dedd4bea2543 of 2030-01-02T03:04:05Z, go1.27.3 linux/amd64
//
// # Load balancers and NAT
//
// A NAT router or a load balancer may forget a connection that carries nothing for some
// time. It then drops or resets what either side sends. Ls -quieter 350s lists the
// connections that may carry nothing for longer than that while both sides are alive:
// those whose keepalive is off, and those whose probes come later. The time is nominal.
// Linux may send a probe up to 1/8 later, so 310s is safe below a limit of 350s. Metrics
// counts the connections that carry something at least once in such a time, as
// tcpopt_connections_kept_alive. These are the limits for an established connection, by
// the manuals:
//
//	AWS Network Load Balancer      350 s, or what is set for its TCP listeners, 60 s to 6000 s
//	AWS Gateway Load Balancer      350 s, or what is set, 60 s to 6000 s
//	AWS Network Firewall           350 s, or what is set, 60 s to 6000 s
//	AWS NAT gateway                350 s
//	Azure Load Balancer            4 min, or what is set
//	Azure NAT Gateway              4 min, or what is set, up to 120 min
//	Google Cloud VPC               10 min
//	conntrack of Linux             5 days, or what net.netfilter.nf_conntrack_tcp_timeout_established says
//
// The manuals are Elastic Load Balancing, "Update the TCP idle timeout"; the
// FlowTimeouts of the Network Firewall API; the Amazon VPC User Guide, "NAT gateways";
// Azure Load Balancer, "Configure TCP reset and idle timeout"; Azure NAT Gateway,
// "Timers"; Compute Engine, "Idle connections"; and nf_conntrack-sysctl.rst of the
// kernel. RFC 5382 requires at least 2 h 4 min of a NAT.
//
// A proxy is the peer of both its connections and counts data only, so probes do not
// keep it from closing them. AWS documents this for its Classic Load Balancer, whose
// limit is 60 s by default. There the program itself must send something.
//
// # Reading sockets
//
// To read a socket, ls and set hold a duplicate of its descriptor for some
// microseconds. If the owner closes the socket in that time, the close takes effect when
// they let go. A stop by the terminal waits until no duplicate is held; SIGSTOP cannot
// be delayed. With CAP_SYS_NICE, which root has, no other program takes the processor
// from them while they hold one. Otherwise they compete for the processor with the
// programs that they look at, as any program does; nice -n 10 tcpopt ls competes less.
//
// Ls and set need Linux 5.6 and the right to trace a process, see pidfd_getfd(2) and
// ptrace(2).
//
// # JSON of ls
//
// Ls -json prints one object. Times are in seconds. Its fields are
//
//	version               1
//	sockets               the sockets
//	processes             the processes that have them
//	uncounted             connections that the kernel keeps no counters for: suspect or not is unknown
//	unreadable            how many processes could not be read, by reason
//	unreadable_processes  each of these processes
//	hidepid               the mount option by which /proc hides processes
//	unowned               sockets of this network namespace that no readable process has; null: not asked
//	totals                with -by
//
// In a socket, null means "unbounded" in detection_seconds, busy_seconds and
// max_silence_seconds. In user_timeout_seconds, probes, silence_seconds and pending it
// means that the kernel does not report the value. Where busy_seconds is null, the
// system gives up after at least system_limit_seconds. A socket has a thread if that
// thread has the descriptor to itself, or if the first thread of its process has ended.
// In a process, and in uid, user and unit of a socket, null is what could not be read.
// An empty unit means that there is none, and a user without a name is given by number.
// In totals, by is null or empty in the same way.
//
// # Exit status
//
// The exit status is 0 if all went well, 1 if something failed, 2 if the arguments are
// wrong, and 3 if ls -check found something.
package main

import (
	_ "embed"
	"go/doc/comment"
	"strings"
)

//go:embed doc.go
var docFile string

// documentation is the comment above, which go doc and man show.
func documentation() *comment.Doc {
	text, _, _ := strings.Cut(strings.ReplaceAll(docFile, "\r", ""), "\npackage main\n")
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		lines = append(lines, strings.TrimPrefix(strings.TrimPrefix(line, "//"), " "))
	}
	return new(comment.Parser).Parse(strings.Join(lines, "\n"))
}

// plainText is what a paragraph says.
func plainText(texts []comment.Text) string {
	var out strings.Builder
	for _, text := range texts {
		switch text := text.(type) {
		case comment.Plain:
			out.WriteString(string(text))
		case comment.Italic:
			out.WriteString(string(text))
		case *comment.Link:
			out.WriteString(plainText(text.Text))
		case *comment.DocLink:
			out.WriteString(plainText(text.Text))
		}
	}
	return out.String()
}
