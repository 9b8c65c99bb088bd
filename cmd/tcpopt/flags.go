package main

import (
	"errors"
	"flag"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

// A selection is by which flags ls and set are told which sockets.
type selection struct {
	query            census.Query
	without, suspect bool
	slower, quieter  *time.Duration
}

func (sel *selection) flags(flags *flag.FlagSet) {
	q := &sel.query
	flags.Var(pidsFlag{&q.PIDs}, "pid", "only sockets of process `N`; may be repeated")
	flags.Var(wordsFlag{&q.Commands, "name of a command"}, "name", "only sockets of processes with this `command`, as ps -o comm shows it; may be repeated")
	flags.Var(wordsFlag{&q.CommandLines, "part of a command line"}, "cmdline", "only sockets of processes whose command line contains this `text`, as ps -o args shows it; may be repeated")
	flags.Var(usersFlag{&q.Users}, "user", "only sockets of processes of this `user`, a name or a number, as ps -o user shows it; may be repeated")
	flags.Var(wordsFlag{&q.Units, "name of a unit, a container or a pod"}, "unit", "only sockets of processes in this `unit`, by their cgroup: a systemd unit, such as nginx or nginx.service; a container, by 12 or more digits that its ID begins with; or a pod, by its UID; may be repeated")
	flags.Var(patternsFlag{&q.Local}, "local", "only sockets with this local `address`: ADDR, CIDR, :port, ADDR:port or CIDR:port; may be repeated")
	flags.Var(patternsFlag{&q.Remote}, "remote", "only sockets with this remote `address`: ADDR, CIDR, :port, ADDR:port or CIDR:port; may be repeated")
	flags.Var(statesFlag{&q.States}, "state", "only sockets in this state, as ss(8) names it; may be repeated `"+strings.Join(census.States(), "|")+"`")
	flags.Var(wordsFlag{&q.NetNS, "number or the name of a network namespace"}, "netns", "only sockets of this network `namespace`: its number, as lsns -t net shows it, or its name for ip netns; may be repeated")
	flags.BoolVar(&sel.without, "without-keepalive", false, "only sockets whose keepalive is off")
	flags.Var(timeFlag{d: &sel.slower}, "slower", "only sockets that need longer than this `time` to notice a dead peer while they are idle")
	flags.Var(timeFlag{d: &sel.quieter}, "quieter", "only sockets that may carry nothing for longer than this `time` while they are idle, so that a NAT router or load balancer may forget them, and all sockets without keepalive. The time is nominal: Linux may send a probe up to 1/8 later")
	flags.BoolVar(&sel.suspect, "suspect", false, "only connections with unanswered probes, stuck data or a shut window")
}

// filters reports whether sockets are selected by what they are, not by process.
func (sel *selection) filters() bool {
	q := &sel.query
	return len(q.Local)+len(q.Remote)+len(q.States)+len(q.NetNS) > 0 || sel.without || sel.slower != nil || sel.quieter != nil || sel.suspect
}

// take takes a census of the sockets that sel wants.
func (sel *selection) take() (*census.Census, error) {
	c, err := takeCensus(&sel.query)
	if err != nil {
		return nil, err
	}
	c.Sockets = slices.DeleteFunc(c.Sockets, func(s census.Socket) bool { return !sel.wants(&s) })
	return c, nil
}

// wants reports whether a socket that the query has found is wanted.
func (sel *selection) wants(s *census.Socket) bool {
	idle, _ := s.Detection()
	return !(sel.without && s.Config.KeepAlive == tcpopt.On || sel.slower != nil && idle <= *sel.slower ||
		sel.quieter != nil && s.Config.MaxSilence() <= *sel.quieter || sel.suspect && !s.Suspect())
}

// once takes a flag's value, and refuses a second one: that would either take the
// place of the first without a word or be ignored.
type once struct {
	flag.Value
	given bool
}

func (o *once) Set(s string) error {
	if o.given {
		return errors.New("given twice")
	}
	o.given = true
	return o.Value.Set(s)
}

func (o *once) IsBoolFlag() bool {
	b, ok := o.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// repeatable is implemented by the flags that take several values, and want each
// of them.
type repeatable interface{ repeatable() }

func (pidsFlag) repeatable()     {}
func (patternsFlag) repeatable() {}
func (statesFlag) repeatable()   {}
func (wordsFlag) repeatable()    {}
func (usersFlag) repeatable()    {}
func (forceFlag) repeatable()    {}

// patternsFlag and the types below are kinds of flags. Those of a pointer to a
// pointer leave it nil if the flag is not given.
type patternsFlag struct{ patterns *[]census.Pattern }

func (f patternsFlag) String() string { return "" }

func (f patternsFlag) Set(s string) error {
	p, err := census.ParsePattern(s)
	if err == nil {
		*f.patterns = append(*f.patterns, p)
	}
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

// wordsFlag takes what the system alone can tell to be wrong.
type wordsFlag struct {
	words *[]string
	what  string
}

func (f wordsFlag) String() string { return "" }

func (f wordsFlag) Set(s string) error {
	if s == "" {
		return errors.New("want the " + f.what)
	}
	*f.words = append(*f.words, s)
	return nil
}

type usersFlag struct{ users *[]uint32 }

func (f usersFlag) String() string { return "" }

func (f usersFlag) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		u, lerr := user.Lookup(s)
		if lerr != nil {
			return errors.New("want the name of a user, or a number")
		}
		if n, err = strconv.ParseUint(u.Uid, 10, 32); err != nil {
			return fmt.Errorf("the number of that user is %s", u.Uid)
		}
	}
	*f.users = append(*f.users, uint32(n))
	return nil
}

type statesFlag struct{ states *[]string }

func (f statesFlag) String() string { return "" }

func (f statesFlag) Set(s string) error {
	name := strings.ToLower(s)
	switch name {
	case "estab":
		name = "established"
	case "listening":
		name = census.StateListen
	}
	if states := census.States(); !slices.Contains(states, name) {
		return fmt.Errorf("want one of %s", strings.Join(states, ", "))
	}
	*f.states = append(*f.states, name)
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

// forceFlag takes words with commas between them, each of which has its switch.
type forceFlag struct{ words []forceWord }

type forceWord struct {
	word string
	on   *bool
}

func (f forceFlag) String() string { return "" }

func (f forceFlag) Set(s string) error {
	for _, word := range strings.Split(s, ",") {
		i := slices.IndexFunc(f.words, func(w forceWord) bool { return w.word == word })
		if i < 0 {
			var words []string
			for _, w := range f.words {
				words = append(words, w.word)
			}
			return fmt.Errorf("want some of %s", strings.Join(words, ","))
		}
		*f.words[i].on = true
	}
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
	d     **time.Duration
	zero  bool
	least time.Duration
}

func (f timeFlag) String() string { return "" }

func (f timeFlag) Set(s string) error {
	d, err := parseDuration(s)
	switch {
	case err != nil:
		return errors.New("want a duration such as 30s, 1m30s or 1d")
	case d < 0 && f.zero:
		return errors.New("want 0 or more")
	case d <= 0 && !f.zero:
		return errors.New("want more than 0")
	case d < f.least:
		return fmt.Errorf("want %v or more", f.least)
	}
	*f.d = &d
	return nil
}

// parseDuration is time.ParseDuration, and takes days too, of 24 hours, before
// smaller units.
func parseDuration(s string) (time.Duration, error) {
	number, rest, ok := strings.Cut(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	days, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return 0, err
	}
	d := time.Duration(days) * 24 * time.Hour
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || rest[0] == '+' {
		return 0, errors.New("not a duration")
	}
	return d + more, nil
}
