package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escape(b.Bytes()))
	return err
}

// escape escapes what is not visible in JSON, where it can only be in strings. A
// program that reads it sees no difference.
func escape(text []byte) []byte {
	hidden := func(r rune) bool { return r >= utf8.RuneSelf && !visible(r) }
	if bytes.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b []byte
	for _, r := range string(text) {
		switch {
		case !hidden(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return b
}

// values are null where this system does not tell.
type values struct {
	Enable      *bool    `json:"enable"`
	Idle        *float64 `json:"idle_seconds"`
	Interval    *float64 `json:"interval_seconds"`
	Count       *int     `json:"count"`
	UserTimeout *float64 `json:"user_timeout_seconds"`
}

// known is null where zero was not read.
func known[T int | float64 | string](v T, read bool) *T {
	var zero T
	if v == zero && !read {
		return nil
	}
	return &v
}

// bounded is null where d is unbounded.
func bounded(d time.Duration) *float64 {
	if d == tcpopt.Unbounded {
		return nil
	}
	s := d.Seconds()
	return &s
}

// A listing is what ls -json prints.
type listing struct {
	Version    int                   `json:"version"`
	Sockets    []row                 `json:"sockets"`
	Processes  []process             `json:"processes"`        // of the sockets
	Totals     *[]total              `json:"totals,omitempty"` // with -by, and [] if there are none
	Uncounted  int                   `json:"uncounted"`        // connections of which it is not known whether they are suspect
	Unreadable map[census.Reason]int `json:"unreadable"`
	Denied     []denied              `json:"unreadable_processes"`
	HidePID    *string               `json:"hidepid"` // null: no process is hidden
	Unowned    *int                  `json:"unowned"` // null: not counted
}

// A process is who has sockets. Null is what could not be read.
type process struct {
	PID         int     `json:"pid"`
	Command     string  `json:"command"`
	CommandLine *string `json:"cmdline"`
	UID         *uint32 `json:"uid"`
	User        *string `json:"user"` // a number where it has no name here
	Unit        *unit   `json:"unit"`
}

// A unit is a systemd unit, a container or a pod. Null is what it is not.
type unit struct {
	Name      string  `json:"name"` // as -unit takes it; empty: none
	Systemd   *string `json:"systemd"`
	Container *string `json:"container"`
	Runtime   *string `json:"runtime"`
	Pod       *string `json:"pod"`
	CGroup    string  `json:"cgroup"`
}

// A denied is a process that could not be read.
type denied struct {
	PID     int           `json:"pid"`
	Command *string       `json:"command"` // null: not known
	Reason  census.Reason `json:"reason"`
}

// A row is one socket. Null is what the kernel does not tell of it.
type row struct {
	PID         int      `json:"pid"`
	Command     string   `json:"command"`
	Thread      *int     `json:"thread"` // null: the descriptor is the process's
	FD          int      `json:"fd"`
	Inode       uint32   `json:"inode"`
	NetNS       uint64   `json:"netns"`
	NetNSName   *string  `json:"netns_name"` // null: none
	UID         *uint32  `json:"uid"`
	User        *string  `json:"user"`
	Unit        *string  `json:"unit"` // its name; empty: none
	Protocol    string   `json:"protocol"`
	Local       string   `json:"local"`
	Remote      string   `json:"remote"`
	State       string   `json:"state"`
	Enable      bool     `json:"enable"`
	Idle        float64  `json:"idle_seconds"`
	Interval    float64  `json:"interval_seconds"`
	Count       int      `json:"count"`
	UserTimeout *float64 `json:"user_timeout_seconds"`
	Detection   *float64 `json:"detection_seconds"`    // null: unbounded
	Busy        *float64 `json:"busy_seconds"`         // null: unbounded
	MaxSilence  *float64 `json:"max_silence_seconds"`  // null: unbounded
	Limit       *float64 `json:"system_limit_seconds"` // at least that, where busy_seconds is null; null: not known
	Probes      *int     `json:"probes"`
	Silence     *float64 `json:"silence_seconds"`
	Pending     *uint64  `json:"pending"`
}

func newListing(c *census.Census, by string) *listing {
	l := &listing{Version: 1, Sockets: make([]row, len(c.Sockets)), Unreadable: unreadable(c), Unowned: c.Unowned, Uncounted: c.Uncounted, Denied: []denied{}, Processes: []process{}}
	for _, d := range c.Denied {
		l.Denied = append(l.Denied, denied{PID: d.PID, Command: known(d.Command, false), Reason: d.Reason})
	}
	if c.HidePID != "" {
		mode := strings.TrimPrefix(c.HidePID, "hidepid=")
		l.HidePID = &mode
	}
	if by != "" {
		t := totals(c, by)
		l.Totals = &t
	}
	seen := map[int]bool{}
	for i := range c.Sockets {
		s := &c.Sockets[i]
		l.Sockets[i] = newRow(s)
		if !seen[s.PID] {
			l.Processes, seen[s.PID] = append(l.Processes, newProcess(s)), true
		}
	}
	return l
}

func newRow(s *census.Socket) row {
	idle, busy := s.Detection()
	r := row{
		PID: s.PID, Command: s.Command, FD: s.FD, Inode: s.Inode, NetNS: s.NetNS,
		Protocol: s.Protocol, Local: s.Local.String(), Remote: s.Remote.String(), State: s.State,
		Enable: s.Config.KeepAlive == tcpopt.On, Idle: s.Config.Idle.Seconds(), Interval: s.Config.Interval.Seconds(),
		Count: s.Config.Count, Detection: bounded(idle), Busy: bounded(busy),
		MaxSilence: bounded(s.Config.MaxSilence()),
	}
	r.NetNSName = known(s.NetNSName, false)
	if s.Process != nil {
		r.UID, r.User = s.Process.User, userOf(s)
	}
	if name, ok := kindOf("unit").key(s); ok {
		r.Unit = &name
	}
	if s.Limit != nil {
		r.Limit = bounded(s.Limit.Least)
	}
	if s.HasPending {
		r.Pending = &s.Pending
	}
	if s.TID != 0 {
		r.Thread = &s.TID
	}
	if s.HasUserTimeout {
		ut := s.Config.UserTimeout.Seconds()
		r.UserTimeout = &ut
	}
	if s.Counted {
		r.Probes = &s.Probes
	}
	if s.Counted && s.Heard {
		silence := s.Silence.Seconds()
		r.Silence = &silence
	}
	return r
}

func userOf(s *census.Socket) *string {
	if name, ok := kindOf("user").key(s); ok {
		return &name
	}
	return nil
}

func newProcess(s *census.Socket) process {
	p := process{PID: s.PID, Command: s.Command}
	if s.Process == nil {
		return p
	}
	p.CommandLine, p.UID, p.User = s.Process.CommandLine, s.Process.User, userOf(s)
	if u := s.Process.Unit; u != nil {
		p.Unit = &unit{Name: u.Label(), Systemd: known(u.Name, false), Container: known(u.Container, false),
			Runtime: known(u.Runtime, false), Pod: known(u.Pod, false), CGroup: u.CGroup}
	}
	return p
}
