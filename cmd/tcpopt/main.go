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
		{name: "defaults", args: "[-pid N] [-json]",
			help:    "print this system's keepalive defaults and where they are set",
			example: "tcpopt defaults -json", run: runDefaults},
		{name: "ls", args: processArgs + " " + socketArgs + " [-listen] [-by command|remote|cmdline|user|unit|netns] [-wide] [-check] [-json] [-force]",
			help:    "list TCP sockets of other processes and how soon each would notice a dead peer",
			example: "tcpopt ls -name postgres -slower 1m", words: lsWords, run: runLs},
		{name: "set", args: processArgs + " (-fd F | -all | " + socketArgs + ") (-within D [-no-user-timeout] | -on | -off | -idle D -interval D -count N -user-timeout D) [-dry-run] [-yes] [-every D] [-force silent,unacked,window,cgroup]",
			help:    "change the keepalive of live sockets of other processes",
			example: "tcpopt set -name postgres -remote 10.0.0.0/8 -within 30s -dry-run", run: runSet},
		{name: "plan", args: "(D | -within D | -list) [TARGET]... [-json]",
			help:    "print settings that notice a dead peer within D, also for other programs, ready to paste",
			example: "tcpopt plan 30s nginx", run: runPlan},
		{name: "demo", args: "[-within D]",
			help:    "cut the cable of two connections: one with the system's defaults, one that notices",
			example: "tcpopt demo -within 10s", run: runDemo},
		{name: "metrics", args: "[-by command|user|unit|netns] [-o FILE [-every D]]",
			help:    "print counts of connections in the text format of Prometheus",
			example: "tcpopt metrics -o /var/lib/prometheus/node-exporter/tcpopt.prom", run: runMetrics},
		{name: "completion", args: "[bash|zsh|fish]",
			help:    "print a script that completes the arguments of tcpopt in a shell",
			example: "source <(tcpopt completion bash)", run: runCompletion},
		{name: "man", args: "",
			help:    "print the manual page of tcpopt for man(1)",
			example: "tcpopt man >tcpopt.1 && man ./tcpopt.1", run: runMan},
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
