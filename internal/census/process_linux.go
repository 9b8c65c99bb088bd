package census

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processOf describes the process of dir, a thread of /proc. A field stays nil if it
// may not be read or is gone.
func processOf(dir string) *Process {
	p := new(Process)
	if line, err := commandLineOf(dir); err == nil {
		p.CommandLine = &line
	}
	if status, err := os.ReadFile(dir + "/status"); err == nil {
		if user, err := parseUser(string(status), effective); err == nil {
			p.User = &user
		}
	}
	if groups, err := os.ReadFile(dir + "/cgroup"); err == nil {
		u := parseUnit(string(groups))
		p.Unit = &u
	}
	return p
}

// commandLineOf returns the arguments of a process with spaces between them. They are
// in the memory of the process, and the kernel waits while that is locked: forever, if
// the process waits for a file system that hangs.
func commandLineOf(dir string) (string, error) {
	type result struct {
		text []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		text, err := os.ReadFile(dir + "/cmdline")
		read <- result{text, err}
	}()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case r := <-read:
		return string(bytes.ReplaceAll(bytes.TrimRight(r.text, "\x00 "), []byte{0}, []byte{' '})), r.err
	case <-timer.C:
		return "", errors.New("the command line cannot be read: the process hangs")
	}
}

// wantsProcess reports whether the process dir of /proc is wanted.
func (q *Query) wantsProcess(dir string) (bool, error) {
	if len(q.Commands) > 0 {
		command, err := commandOf(dir)
		if err != nil || !q.named(command) {
			return false, err
		}
	}
	if len(q.Users) > 0 {
		status, err := os.ReadFile(dir + "/status")
		if err != nil {
			return false, err
		}
		user, err := parseUser(string(status), effective)
		if err != nil || !slices.Contains(q.Users, user) {
			return false, err
		}
	}
	if len(q.Units) > 0 {
		groups, err := os.ReadFile(dir + "/cgroup")
		if err != nil {
			return false, err
		}
		if u := parseUnit(string(groups)); !slices.ContainsFunc(q.Units, u.is) {
			return false, nil
		}
	}
	if len(q.CommandLines) > 0 {
		line, err := commandLineOf(dir)
		if err != nil {
			return false, err
		}
		return slices.ContainsFunc(q.CommandLines, func(part string) bool { return strings.Contains(line, part) }), nil
	}
	return true, nil
}

// netnsDir is where ip-netns(8) mounts the namespaces that have names.
const netnsDir = "/run/netns/"

// netnsNames returns the names of network namespaces by their numbers.
func netnsNames() map[uint64]string {
	names := map[uint64]string{}
	entries, err := os.ReadDir(netnsDir)
	if err != nil {
		return names // There is none, or it may not be read.
	}
	for _, e := range entries {
		if number, err := netnsNumber(e.Name()); err == nil {
			names[number] = e.Name()
		}
	}
	return names
}

// netnsNumber returns the number of a network namespace by its name. A file on which
// none is mounted has its own number.
func netnsNumber(name string) (uint64, error) {
	var own, st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &own); err != nil {
		return 0, err
	}
	if err := unix.Stat(netnsDir+name, &st); err != nil {
		return 0, err
	}
	if st.Dev != own.Dev {
		return 0, errors.New("no namespace is mounted there")
	}
	return st.Ino, nil
}

// netns returns the numbers of the network namespaces that q wants.
func (q *Query) netns() (numbers []uint64, err error) {
	for _, word := range q.NetNS {
		number, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			if number, err = netnsNumber(word); err != nil {
				return nil, fmt.Errorf("network namespace %s: want a number, or a name of ip netns: %w", strconv.QuoteToASCII(word), err)
			}
		}
		numbers = append(numbers, number)
	}
	return numbers, nil
}
