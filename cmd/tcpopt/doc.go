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
// The flags of a command are printed by -h behind its name, and are in the manual
// page that tcpopt man prints. A time is a number and its unit, such as 30s, 1m30s,
// 2h or 1d.
//
// # tcpopt defaults
//
// Defaults prints the keepalive that a new socket gets, the system-wide
// settings that it comes from, and which options a socket can get and set here,
// each tried on a new socket. Each container has settings of its own: -pid prints
// those of the network namespace of a process. It enters that, for which it needs
// CAP_SYS_ADMIN, as root has it.
//
// With -json it prints one object; a value that the system does not tell is null
// there, and times are in seconds. Its system_limit_seconds is what the sysctl
// tcp_retries2 comes to, see tcp(7): after that time at the least the system gives up
// data that is not acknowledged. It gives up when the next retransmission is due,
// which may be up to two minutes later. A socket for which its program has set
// TCP_RTO_MAX_MS, of Linux 6.15, may give up sooner.
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
// Ls lists TCP sockets of the processes given by -pid or -name, or of all that
// may be read, with their keepalive and the time after which each would notice a
// dead peer: with nothing in flight, where "never" means that keepalive is off,
// and with unacknowledged data, where "15m24s+" means that the sysctl tcp_retries2 of
// its network namespace decides, and that it is that long at the least; "system" is
// the same where that namespace may not be entered. In syn-sent both are when
// connect ends, counted from its start, which keepalive has no part in. Of a flag
// that is given several times, any of its values will do; flags of different names
// must all agree. A link-local address is shown with its device, fe80::2%eth0, and
// as a pattern matches on that device alone; without one it matches on any. A
// summary says what could not be read, why, and of whom; what has ended meanwhile
// is none of that. A socket is not seen if no process that may be read is in its
// network namespace.
//
// Which pod is that? Processes are selected by -cmdline, a part of the command line,
// -user and -unit too, and sockets by -netns; -by adds up by each of these. A unit is
// one of systemd, such as nginx.service, a container, docker/4f797c539e6c, or a pod of
// Kubernetes and the container, pod/UID/4f797c539e6c, by the cgroup of the process,
// which Docker, Podman, containerd, CRI-O, the kubelet, LXC and systemd name; a cgroup
// that none of them has named is its own unit. Names are as whoever made them has
// them, and prove nothing; the pod of a UID is found with kubectl get pods -A -o
// custom-columns=UID:.metadata.uid,POD:.metadata.name. Two containers may have the same addresses: they differ in
// unit and network namespace.
//
//	$ tcpopt ls -by unit
//	$ tcpopt set -unit docker/4f797c539e6c -within 30s -dry-run
//
// In a terminal ls fits its width, or that of COLUMNS. What needs attention comes
// first, in red unless NO_COLOR is set: suspect connections with what makes them so,
// then those that take longest to notice a dead peer.
//
//	COMMAND         PID  LOCAL   REMOTE                  KEEPALIVE  NOTICED     BUSY
//	sync          24792  :38288  10.20.30.40:8443        off          never  15m24s+
//	    window shut, 3693 KiB waiting, silent for 19s
//	psql          24841  :38300  10.20.30.7:5432         off          never  15m24s+
//	postgres      24455  :5432   [2001:db…11:2222]:6099  2h+9x75s     2h11m  15m24s+
//	redis-server  24308  :6379   10.20.30.9:44092        5m+3x100s      10m  15m24s+
//	worker        24793  :40506  10.20.30.40:8443        15s+5s         30s      30s
//
// To anything but a terminal, and with -wide, it prints all columns in the order of
// processes; new ones come after the others. With -wide=false a pipe gets what a
// terminal does, for less(1) or watch(1). Ls -h explains the words. What set, plan and
// defaults print to a terminal is folded between words.
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
// Set changes the keepalive of live sockets and prints how to restore it, even if
// it is interrupted. It ends no connection that would have lived had it been left
// alone. Where probes are unanswered, or the silence is so long that fewer than two
// fit before the new end, it first makes the connection send some, and writes only
// when the peer has answered. If it does not within 3 s, all is left as it was, but
// for a higher count or user timeout that makes up for those probes. A connection
// without keepalive gets it at once, to be ended by it if its peer stays silent. A
// user timeout is not set while data, or a shut window, waits for the peer. Each of
// these guards has a word by which -force lifts it: silent, unacked, window; and
// cgroup, for processes in another net_cls or net_prio cgroup. A connection that
// turns out to be dead ends, which is a success. Of a listener, set says whether
// accepted connections are seen to have what it has.
//
// Set takes the flags by which ls selects sockets: with one of those it needs no
// process. Its -on and -off switch keepalive, and select nothing; what has keepalive
// off is selected by -without-keepalive, by ls too.
//
//	$ tcpopt set -name postgres -within 30s -dry-run
//	4711 postgres fd 9 10.0.0.5:5432 -> 10.0.0.7:41874 established
//	  before   on, idle 2h, interval 75s, count 9, user timeout 0s; a dead peer is noticed: idle 2h11m15s, busy system, at least 15m24s
//	  planned  on, idle 15s, interval 5s, count 3, user timeout 30s; a dead peer is noticed: idle 30s, busy 30s
//	4712 postgres fd 9 10.0.0.5:5432 -> 10.0.0.8:50230 established
//	  before   off (idle 2h, interval 75s, count 9), user timeout 0s; a dead peer is noticed: idle never, busy system, at least 15m24s
//	  planned  on, idle 15s, interval 5s, count 3, user timeout 30s; a dead peer is noticed: idle 30s, busy 30s
//	2 would change, 0 as wanted already, 0 would not or not for sure
//	A change lasts until the program reconnects or sets its own; new connections do not have it: -every changes those too.
//
// With -every, set looks again each so often and changes what has come since, until
// it is interrupted or all processes of -pid have ended. It prints what it changes,
// with what that was before, and what it leaves alone, once a connection. What is as
// wanted is not written again; what a program has set otherwise since is, once.
//
//	$ tcpopt set -name billing -without-keepalive -within 30s -every 10s -yes
//	looking every 10s: 1 connection now, 1 to be changed; from here on only changes are printed
//	4711 billing fd 8 10.0.0.5:41874 -> 10.0.0.7:6379 established: set -on -idle 15s -interval 5s -count 3 -user-timeout 30s; it had -off -idle 2h -interval 75s -count 9 -user-timeout 0s
//	^Cinterrupted after 70s: 1 change made, 0 connections found dead, 0 not or not wholly done
//
// # tcpopt plan
//
// Plan prints the Config by which a socket of this system notices a dead peer
// within D, and when each probe goes out and the connection ends. With targets,
// which -list has and all stands for, it prints how each of these programs is told,
// ready to paste, and what that program cannot do. Each text but that for Envoy was
// given to the program, whose sockets then had these values.
//
//	$ tcpopt plan 30s libpq
//	keepalives=1 keepalives_idle=15 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=30000
//
// With -json it prints an object with version, which is 1, within_seconds, config,
// detection_seconds, busy_seconds, the timelines idle and busy, whose elements have
// at_seconds and event, and texts, by target. Null is what the system lacks; a
// busy_seconds, or an at_seconds of busy, of null is unbounded.
//
// # tcpopt demo
//
// Demo shows two idle connections in a private network whose cable is cut: one as
// every new socket is, which notices nothing, and one that is to notice within a
// time, 6 s if none is given. In a terminal both timelines move. Where network
// namespaces are not allowed, both are on loopback and their peers are made deaf.
// It needs Linux but no privileges, and leaves nothing behind however it ends.
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
// Metrics prints counts of the connections of all processes that may be read, as
// gauges in the text format of Prometheus: of 20 commands, and of the others
// together. A command is what a program calls itself. So that nobody fills the 20
// places, they go to the users in turn, the lowest number first, for each the command
// with most connections that has none yet; in a user namespace the user is who made
// it. With -by the user, the unit or the network namespace takes the place of the
// command, in the same way, as a label of that name. With -o it replaces a file in one
// step, as the textfile collector of node_exporter wants it, and removes what runs that
// were killed have left beside it; with -every too it does so again and again, where
// there is no timer to run it. A host has no more than 370 series, however many
// commands and connections it has.
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
// Completion prints a script for bash 4 and later, zsh or fish: to be sourced, or to
// be a file of /etc/bash_completion.d, _tcpopt in a folder of zsh's fpath, or
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
// Version, or -version, prints the version, the revision of the repository and
// whether it was modified, and by what it was built, as far as the build knows.
//
//	$ tcpopt version
//	tcpopt v1.2.3, revision 8f14e45fceea167a5a36dedd4bea2543 of 2030-01-02T03:04:05Z, go1.27.3 linux/amd64
//
// # Load balancers and NAT
//
// What is on the way of a connection may forget it when it carries nothing for some
// time, and then drops or resets what either side sends. Ls -quieter 350s lists the
// connections that may carry nothing for longer than that while both sides are alive:
// those whose keepalive is off, and those whose probes come later. This is nominal:
// Linux may send a probe up to 1/8 later, so that 310s is safe below a limit of 350s.
// Metrics counts, as tcpopt_connections_kept_alive, those that carry something at
// least once in such times. For an established connection the manuals say
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
// These are Elastic Load Balancing, "Update the TCP idle timeout"; the FlowTimeouts of
// the Network Firewall API; the Amazon VPC User Guide, "NAT gateways"; Azure Load
// Balancer, "Configure TCP reset and idle timeout"; Azure NAT Gateway, "Timers";
// Compute Engine, "Idle connections"; nf_conntrack-sysctl.rst of the kernel. RFC 5382
// asks NAT for 2 h 4 min at the least.
//
// A proxy is the peer of both its connections, and counts data: a probe does not keep
// it from closing them. AWS says so of its Classic Load Balancer, whose limit is 60 s
// unless set. There only the program can send something.
//
// # Reading sockets
//
// To ask a socket, ls and set hold a duplicate of its descriptor for some
// microseconds, and what its owner closes meanwhile is closed only then. A stop by
// the terminal waits until none is held; SIGSTOP cannot be made to. With
// CAP_SYS_NICE, as root has it, no other program takes the processor from them in
// that time. For the rest they compete with the programs they are about as any
// program does; nice -n 10 tcpopt ls does so less.
//
// Ls and set need Linux 5.6 and the right to trace a process, see pidfd_getfd(2) and
// ptrace(2).
//
// # JSON of ls
//
// Ls -json prints an object with version, which is 1, sockets, processes, those of
// the sockets, uncounted, the
// connections of which it is not known whether they are suspect, unreadable, the
// processes that could not be read counted by reason, unreadable_processes, each of
// them, hidepid, the mount option by which /proc hides others, and unowned, the
// sockets of this network namespace that no process has that could be read, or null
// where that was not asked. Times are in seconds; in a socket, a detection_seconds,
// busy_seconds or max_silence_seconds of null is unbounded, and a
// user_timeout_seconds, probes, silence_seconds or pending of null is what the kernel
// does not tell. A thread is one that has the descriptor to itself, or whose
// process's first thread has ended. Where busy_seconds is null, the system gives up
// after system_limit_seconds at the least. In a process, and of a socket the uid, user
// and unit, null is what could not be read; a unit that is empty is that there is
// none, and a user without a name is its number. With -by there are totals too, whose
// by is null or empty in the same way.
//
// # Exit status
//
// The exit status is 0 if all went well, 1 if something failed, 2 if the
// arguments are wrong and 3 if ls -check found something.
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
