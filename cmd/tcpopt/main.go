// Tcpopt shows how this system notices dead TCP peers.
//
// Usage:
//
//	tcpopt defaults [-json]
//
// Defaults prints the keepalive that a new socket gets, the system-wide
// settings that it comes from, and which options a socket can get and set here,
// each tried on a new socket. With -json it prints one object; a value that the
// system does not tell is null there, and times are in seconds.
//
// The exit status is 0 if all went well, 1 if something could not be learned and
// 2 if the arguments are wrong.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// A verb is the first argument, and what it does.
type verb struct {
	name, args, help, example string
	run                       func(v *verb, args []string, stdout, stderr io.Writer) int
}

var verbs = []*verb{
	{"defaults", "[-json]", "print this system's keepalive defaults and where they are set", "tcpopt defaults -json", runDefaults},
}

// Exit statuses.
const (
	done   = 0
	failed = 1
	misuse = 2
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return misuse
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		usage(stdout)
		return done
	}
	for _, v := range verbs {
		if v.name == args[0] {
			return v.run(v, args[1:], stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "tcpopt: unknown command %q\n", args[0])
	usage(stderr)
	return misuse
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: tcpopt command [flags]")
	for _, v := range verbs {
		fmt.Fprintf(w, "  %-10s %s\n", v.name, v.help)
	}
	fmt.Fprintln(w, "tcpopt command -h tells the flags of a command.")
}

// parse parses the flags of v, which takes no other arguments. If ok is false,
// the program ends with status.
func (v *verb) parse(flags *flag.FlagSet, args []string, stdout, stderr io.Writer) (status int, ok bool) {
	flags.Init("tcpopt "+v.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	help := func(w io.Writer) {
		fmt.Fprintf(w, "usage: tcpopt %s %s\n  %s\n", v.name, v.args, v.help)
		flags.SetOutput(w)
		flags.PrintDefaults()
		fmt.Fprintf(w, "example: %s\n", v.example)
	}
	flags.Usage = func() {}
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		help(stdout)
		return done, false
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
		fallthrough
	case err != nil:
		fmt.Fprintf(stderr, "tcpopt %s: %v\n", v.name, err)
		help(stderr)
		return misuse, false
	}
	return done, true
}
