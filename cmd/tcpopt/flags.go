package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt/internal/census"
)

// queryFlags are those by which ls and set are told which sockets.
func queryFlags(flags *flag.FlagSet, q *census.Query) {
	flags.Var(pidsFlag{&q.PIDs}, "pid", "the sockets of process `N`; may be repeated")
	flags.Var(nameFlag{&q.Command}, "name", "only the sockets of processes whose `command` this is, as ps -o comm shows it")
	flags.Var(patternFlag{&q.Local}, "local", "only sockets with this local `address`: ADDR, CIDR, :port or ADDR:port")
	flags.Var(patternFlag{&q.Remote}, "remote", "only sockets with this remote `address`: ADDR, CIDR, :port or ADDR:port")
}

// patternFlag and the types below are kinds of flags. Those of a pointer to a pointer
// leave it nil if the flag is not given.
type patternFlag struct{ p **census.Pattern }

func (f patternFlag) String() string { return "" }

func (f patternFlag) Set(s string) (err error) {
	*f.p, err = census.ParsePattern(s)
	return err
}

type pidsFlag struct{ pids *[]int }

func (f pidsFlag) String() string { return "" }

func (f pidsFlag) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n <= 0 {
		return errors.New("want the number of a process")
	}
	if !slices.Contains(*f.pids, int(n)) {
		*f.pids = append(*f.pids, int(n))
	}
	return nil
}

type fdFlag struct{ fd **int }

func (f fdFlag) String() string { return "" }

func (f fdFlag) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return errors.New("want the number of a descriptor")
	}
	fd := int(n)
	*f.fd = &fd
	return nil
}

type nameFlag struct{ name *string }

func (f nameFlag) String() string { return "" }

func (f nameFlag) Set(s string) error {
	if s == "" {
		return errors.New("want the name of a command")
	}
	*f.name = s
	return nil
}

type stateFlag struct{ state *string }

func (f stateFlag) String() string { return "" }

func (f stateFlag) Set(s string) error {
	name := strings.ToLower(s)
	switch name {
	case "estab":
		name = "established"
	case "listening":
		name = "listen"
	}
	if states := census.States(); !slices.Contains(states, name) {
		return fmt.Errorf("want one of %s", strings.Join(states, ", "))
	}
	*f.state = name
	return nil
}

// wordFlag takes one of a few words.
type wordFlag struct {
	word  *string
	words []string
}

func (f wordFlag) String() string { return "" }

func (f wordFlag) Set(s string) error {
	if !slices.Contains(f.words, s) {
		return fmt.Errorf("want %s", strings.Join(f.words, " or "))
	}
	*f.word = s
	return nil
}

// countFlag takes a count of probes.
type countFlag struct{ n **int }

func (f countFlag) String() string { return "" }

func (f countFlag) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n <= 0 {
		return errors.New("want a number above 0")
	}
	*f.n = &n
	return nil
}

// timeFlag takes a duration, and a bare 0 if it may be zero.
type timeFlag struct {
	d    **time.Duration
	zero bool
}

func (f timeFlag) String() string { return "" }

func (f timeFlag) Set(s string) error {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return errors.New("want a duration such as 30s or 1m30s")
	case d < 0 && f.zero:
		return errors.New("want 0 or more")
	case d <= 0 && !f.zero:
		return errors.New("want more than 0")
	}
	*f.d = &d
	return nil
}
