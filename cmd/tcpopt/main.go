// Tcpopt shows how this system notices dead TCP peers.
//
// Usage:
//
//	tcpopt defaults [-json]
//	tcpopt ls [flags]
//	tcpopt set [flags]
//	tcpopt plan D [TARGET...] [-json]
//	tcpopt demo [-within D]
//	tcpopt metrics [-o FILE]
//	tcpopt completion [bash|zsh|fish]
//	tcpopt version
//
// Defaults prints the keepalive that a new socket gets, the system-wide
// settings that it comes from, and which options a socket can get and set here,
// each tried on a new socket. With -json it prints one object; a value that the
// system does not tell is null there, and times are in seconds.
//
// Ls lists TCP sockets of the processes given by -pid or -name, or of all that
// may be read, with their keepalive and the time after which each would notice a
// dead peer: with nothing in flight, where "never" means that keepalive is off,
// and with unacknowledged data, where "system" means that the sysctl tcp_retries2
// decides, see tcp(7). In syn-sent both are when connect ends, counted from its
// start, which keepalive has no part in. Of a flag that is given several times,
// any of its values will do; flags of different names must all agree. A
// link-local address is shown with its device, fe80::2%eth0, and as a pattern
// matches on that device alone; without one it matches on any. A summary says
// what could not be read, why, and of whom; what has ended meanwhile is none of
// that. A socket is not seen if no process that may be read is in its network
// namespace.
//
// In a terminal ls fits its width, or that of COLUMNS. What needs attention comes
// first, in red unless NO_COLOR is set: suspect connections with what makes them so,
// then those that take longest to notice a dead peer.
//
//	COMMAND         PID  LOCAL   REMOTE                 KEEPALIVE  NOTICED    BUSY
//	sync          24792  :38288  10.20.30.40:8443       off          never  system
//	    window shut, 3693 KiB waiting, silent for 19s
//	psql          24841  :38300  10.20.30.7:5432        off          never  system
//	postgres      24455  :5432   [2001:db…11:2222]:609  2h+9x75s     2h11m  system
//	redis-server  24308  :6379   10.20.30.9:44092       5m+3x100s      10m  system
//	worker        24793  :40506  10.20.30.40:8443       15s+5s         30s     30s
//
// To anything but a terminal, and with -wide, it prints all columns in the order of
// processes; new ones come after the others. With -wide=false a pipe gets what a
// terminal does, for less(1) or watch(1). Ls -h explains the words. What set, plan and
// defaults print to a terminal is folded between words.
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
// accepted connections are seen to have what it has. Ls and set need Linux 5.6 and
// the right to trace a process, see pidfd_getfd(2) and ptrace(2).
//
// Set takes the flags by which ls selects sockets: with one of those it needs no
// process. Its -on and -off switch keepalive, and select nothing; what has keepalive
// off is selected by -without-keepalive, by ls too.
//
// With -every, set looks again each so often and changes what has come since, until
// it is interrupted or all processes of -pid have ended. It prints what it changes,
// with what that was before, and what it leaves alone, once a connection. What is as
// wanted is not written again; what a program has set otherwise since is, once.
//
// To ask a socket, ls and set hold a duplicate of its descriptor for some
// microseconds, and what its owner closes meanwhile is closed only then. A stop by
// the terminal waits until none is held; SIGSTOP cannot be made to. With
// CAP_SYS_NICE, as root has it, no other program takes the processor from them in
// that time. For the rest they compete with the programs they are about as any
// program does; nice -n 10 tcpopt ls does so less.
//
// Ls -json prints an object with version, which is 1, sockets, uncounted, the
// connections of which it is not known whether they are suspect, unreadable, the
// processes that could not be read counted by reason, unreadable_processes, each of
// them, hidepid, the mount option by which /proc hides others, and unowned, the
// sockets of this network namespace that no process has that could be read, or null
// where that was not asked. Times are in seconds; in a socket, a detection_seconds or
// busy_seconds of null is unbounded, and a user_timeout_seconds, probes,
// silence_seconds or pending of null is what the kernel does not tell. A thread is
// one that has the descriptor to itself, or whose process's first thread has ended.
// With -by there are totals too.
//
// Plan prints the Config by which a socket of this system notices a dead peer
// within D, and when each probe goes out and the connection ends. With targets,
// which -list has and all stands for, it prints how each of these programs is told,
// ready to paste, and what it cannot do. With -json it prints an object with version, which is 1, within_seconds, config,
// detection_seconds, busy_seconds, the timelines idle and busy, whose elements
// have at_seconds and event, and texts. Null is what the system lacks; a
// busy_seconds, or an at_seconds of busy, of null is unbounded.
//
// Demo shows two idle connections in a private network whose cable is cut: one as
// every new socket is, which notices nothing, and one that is to notice within a
// time, 6 s if none is given. In a terminal both timelines move. Where network
// namespaces are not allowed, both are on loopback and their peers are made deaf.
// It needs Linux but no privileges, and leaves nothing behind however it ends.
//
// Metrics prints counts of the connections of all processes that may be read, as
// gauges in the text format of Prometheus: of 20 commands, and of the others
// together. A command is what a program calls itself. So that nobody fills the 20
// places, they go to the users in turn, the lowest number first, for each the command
// with most connections that has none yet; in a user namespace the user is who made
// it. With -o it replaces a file in one step, as the textfile collector of
// node_exporter wants it, and removes what runs that were killed have left beside it.
//
// Completion prints a script for bash 4 and later, zsh or fish: to be sourced, or to
// be a file of /etc/bash_completion.d, _tcpopt in a folder of zsh's fpath, or
// tcpopt.fish in a folder of fish's completions.
//
// Version, or -version, prints the version, the revision of the repository and
// whether it was modified, and by what it was built, as far as the build knows.
//
// The exit status is 0 if all went well, 1 if something failed, 2 if the
// arguments are wrong and 3 if ls -check found something.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// What ls and set have in common: which processes, and which of their sockets.
const (
	processArgs = "[-pid N]... [-name COMMAND]... [-cmdline TEXT]... [-user USER]... [-unit UNIT]..."
	socketArgs  = "[-local A]... [-remote A]... [-state S]... [-netns N]... [-without-keepalive] [-slower D] [-quieter D] [-suspect]"
)

// verbs is a function since some of them are about all.
func verbs() []*verb {
	return []*verb{
		{name: "defaults", args: "[-json]",
			help:    "print this system's keepalive defaults and where they are set",
			example: "tcpopt defaults -json", run: runDefaults},
		{name: "ls", args: processArgs + " " + socketArgs + " [-listen] [-by command|remote|cmdline|user|unit|netns] [-wide] [-check] [-json] [-force]",
			help:    "list TCP sockets of other processes and when each would notice a dead peer",
			example: "tcpopt ls -name postgres -slower 1m", words: lsWords, run: runLs},
		{name: "set", args: processArgs + " (-fd F | -all | " + socketArgs + ") (-within D [-no-user-timeout] | -on | -off | -idle D -interval D -count N -user-timeout D) [-dry-run] [-yes] [-every D] [-force silent,unacked,window,cgroup]",
			help:    "change the keepalive of live sockets of other processes",
			example: "tcpopt set -name postgres -remote 10.0.0.0/8 -within 30s -dry-run", run: runSet},
		{name: "plan", args: "(D | -within D | -list) [TARGET]... [-json]",
			help:    "print what notices a dead peer within D and when, or how a program is told, ready to paste",
			example: "tcpopt plan 30s nginx", run: runPlan},
		{name: "demo", args: "[-within D]",
			help:    "show two connections whose cable is cut: the system's defaults, and one that notices",
			example: "tcpopt demo -within 10s", run: runDemo},
		{name: "metrics", args: "[-by command|user|unit|netns] [-o FILE]",
			help:    "print counts of connections in the text format of Prometheus",
			example: "tcpopt metrics -o /var/lib/prometheus/node-exporter/tcpopt.prom", run: runMetrics},
		{name: "completion", args: "[bash|zsh|fish]",
			help:    "print a script by which a shell completes the arguments of tcpopt",
			example: "source <(tcpopt completion bash)", run: runCompletion},
		{name: "version", args: "",
			help:    "print the version of tcpopt and what it was built from",
			example: "tcpopt version", run: runVersion},
	}
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return misuse
	}
	if args[0] == "help" && len(args) == 2 {
		args = []string{args[1], "-h"}
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		if len(args) > 2 || len(args) == 2 && args[1] != "-h" {
			return conclude(stderr, "tcpopt", misused(fmt.Errorf("unexpected argument %q; usage: tcpopt help [command]", args[len(args)-1])))
		}
		usage(stdout)
		return done
	}
	if args[0] == "-version" || args[0] == "--version" {
		args = append([]string{"version"}, args[1:]...)
	}
	for _, v := range verbs() {
		if v.name == args[0] {
			return conclude(stderr, "tcpopt "+v.name, v.run(v, args[1:], stdout))
		}
	}
	status := conclude(stderr, "tcpopt", misused(fmt.Errorf("unknown command %q", args[0])))
	usage(stderr)
	return status
}

// conclude prints err, with a line for each error that is joined in it, and
// returns the exit status.
func conclude(stderr io.Writer, who string, err error) int {
	status := failed
	var e *exit
	switch {
	case err == nil:
		return done
	case errors.As(err, &e):
		status = e.status
		if e.err == nil {
			return status
		}
	}
	w := terminalOf(stderr).writer(stderr)
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintf(w, "%s: %s\n", who, strings.TrimPrefix(line, "tcpopt: "))
	}
	w.Flush()
	return status
}
