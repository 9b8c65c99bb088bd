package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

func runLs(v *verb, args []string, stdout io.Writer) error {
	var flags flag.FlagSet
	var q census.Query
	queryFlags(&flags, &q)
	flags.Var(stateFlag{&q.State}, "state", "only sockets in this state, as ss(8) names it: `"+strings.Join(census.States(), "|")+"`")
	flags.BoolVar(&q.Listen, "listen", false, "listening sockets too, whose connections inherit what they have")
	flags.BoolVar(&q.Force, "force", false, "read processes in another net_cls or net_prio cgroup too, which moves their sockets to this one's")
	var slower *time.Duration
	var by string
	off := flags.Bool("off", false, "only sockets without keepalive")
	flags.Var(timeFlag{d: &slower}, "slower", "only sockets that while idle need longer than this `time` to notice a dead peer")
	suspect := flags.Bool("suspect", false, "only connections with unanswered probes, data stuck or the peer's window shut")
	flags.Var(wordFlag{&by, []string{"command", "remote"}}, "by", "print totals by `command|remote`, the remote address without its port")
	check := flags.Bool("check", false, "exit with status 3 if anything matches")
	asJSON := flags.Bool("json", false, "print a JSON object")
	if err := v.parse(&flags, args, stdout); err != nil {
		return err
	}
	q.Listen = q.Listen || q.State == census.StateListen
	c, err := takeCensus(&q)
	if err != nil {
		return err
	}
	c.Sockets = slices.DeleteFunc(c.Sockets, func(s census.Socket) bool {
		idle, _ := s.Config.DetectionTime()
		return *off && s.Config.Enable || slower != nil && idle <= *slower || *suspect && !s.Suspect()
	})
	w := bufio.NewWriterSize(stdout, 1<<16)
	if *asJSON {
		err = printJSON(w, c, by)
	} else {
		printCensus(w, c, by)
	}
	if err := errors.Join(append(failures(c, &q), err, w.Flush())...); err != nil {
		return err
	}
	if *check && len(c.Sockets) > 0 {
		return &exit{status: found}
	}
	return nil
}

// queryFlags are those by which ls and set are told which sockets.
func queryFlags(flags *flag.FlagSet, q *census.Query) {
	flags.Var(pidsFlag{&q.PIDs}, "pid", "the sockets of process `N`; may be repeated")
	flags.Var(nameFlag{&q.Command}, "name", "only the sockets of processes whose `command` this is, as ps -o comm shows it")
	flags.Var(patternFlag{&q.Local}, "local", "only sockets with this local `address`: ADDR, CIDR, :port or ADDR:port")
	flags.Var(patternFlag{&q.Remote}, "remote", "only sockets with this remote `address`: ADDR, CIDR, :port or ADDR:port")
}

// A listing is what ls -json prints.
type listing struct {
	Version    int                   `json:"version"`
	Sockets    []row                 `json:"sockets"`
	Totals     []total               `json:"totals,omitzero"` // with -by
	Unreadable map[census.Reason]int `json:"unreadable"`
	Unowned    *int                  `json:"unowned"` // null: not counted
}

// A row is one socket. Null is what the kernel does not tell of it.
type row struct {
	PID         int      `json:"pid"`
	Command     string   `json:"command"`
	FD          int      `json:"fd"`
	Inode       uint32   `json:"inode"`
	NetNS       uint64   `json:"netns"`
	Protocol    string   `json:"protocol"`
	Local       string   `json:"local"`
	Remote      string   `json:"remote"`
	State       string   `json:"state"`
	Enable      bool     `json:"enable"`
	Idle        float64  `json:"idle_seconds"`
	Interval    float64  `json:"interval_seconds"`
	Count       int      `json:"count"`
	UserTimeout *float64 `json:"user_timeout_seconds"`
	Detection   *float64 `json:"detection_seconds"` // null: unbounded
	Busy        *float64 `json:"busy_seconds"`      // null: unbounded
	Probes      *int     `json:"probes"`
	Silence     *float64 `json:"silence_seconds"`
	Pending     uint64   `json:"pending"`
}

// A total is of the sockets that have one command or remote address.
type total struct {
	By        string   `json:"by"`
	Sockets   int      `json:"sockets"`
	Off       int      `json:"off"`
	Unbounded int      `json:"unbounded"`         // idle: a dead peer is never noticed
	Slowest   *float64 `json:"detection_seconds"` // of those that are not
	Busy      int      `json:"busy_unbounded"`
	Suspect   int      `json:"suspect"`

	slowest time.Duration
}

func printJSON(w io.Writer, c *census.Census, by string) error {
	l := listing{Version: 1, Sockets: make([]row, len(c.Sockets)), Unreadable: unreadable(c), Unowned: c.Unowned}
	if by != "" {
		l.Totals = totals(c, by)
	}
	for i := range c.Sockets {
		s := &c.Sockets[i]
		idle, busy := s.Config.DetectionTime()
		r := row{
			PID: s.PID, Command: s.Command, FD: s.FD, Inode: s.Inode, NetNS: s.NetNS,
			Protocol: s.Protocol, Local: s.Local.String(), Remote: s.Remote.String(), State: s.State,
			Enable: s.Config.Enable, Idle: s.Config.Idle.Seconds(), Interval: s.Config.Interval.Seconds(),
			Count: s.Config.Count, Detection: bounded(idle), Busy: bounded(busy), Pending: s.Pending,
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
		l.Sockets[i] = r
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(l)
}

func bounded(d time.Duration) *float64 {
	if d == tcpopt.Unbounded {
		return nil
	}
	s := d.Seconds()
	return &s
}

func totals(c *census.Census, by string) []total {
	sums := map[string]*total{}
	for i := range c.Sockets {
		s := &c.Sockets[i]
		key := s.Command
		if by == "remote" {
			key = s.Remote.Addr().Unmap().String()
		}
		t := sums[key]
		if t == nil {
			t = &total{By: key}
			sums[key] = t
		}
		t.Sockets++
		if !s.Config.Enable {
			t.Off++
		}
		idle, busy := s.Config.DetectionTime()
		if idle == tcpopt.Unbounded {
			t.Unbounded++
		} else {
			t.slowest = max(t.slowest, idle)
			t.Slowest = bounded(t.slowest)
		}
		if busy == tcpopt.Unbounded {
			t.Busy++
		}
		if s.Suspect() {
			t.Suspect++
		}
	}
	all := make([]total, 0, len(sums))
	for _, t := range sums {
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b total) int {
		return cmp.Or(cmp.Compare(b.Sockets, a.Sockets), strings.Compare(a.By, b.By))
	})
	return all
}

func printCensus(w io.Writer, c *census.Census, by string) {
	switch {
	case by != "":
		t := newTable(strings.ToUpper(by), "SOCKETS", "OFF", "NEVER-NOTICED", "SLOWEST-IDLE", "BUSY-SYSTEM", "SUSPECT")
		for _, sum := range totals(c, by) {
			slowest := "-"
			if sum.Slowest != nil {
				slowest = sum.slowest.String()
			}
			t.add(printable(sum.By), strconv.Itoa(sum.Sockets), strconv.Itoa(sum.Off), strconv.Itoa(sum.Unbounded),
				slowest, strconv.Itoa(sum.Busy), strconv.Itoa(sum.Suspect))
		}
		t.print(w)
	case len(c.Sockets) > 0:
		t := newTable("PID", "COMMAND", "FD", "LOCAL", "REMOTE", "STATE", "KEEPALIVE", "IDLE", "INTERVAL", "COUNT",
			"USER-TIMEOUT", "NOTICED-IDLE", "NOTICED-BUSY", "PROBES", "SILENCE", "PENDING")
		for i := range c.Sockets {
			printSocket(t, &c.Sockets[i])
		}
		t.print(w)
	}
	summarize(w, c)
}

func printSocket(t *table, s *census.Socket) {
	number := func(n int) {
		t.text = strconv.AppendInt(t.text, int64(n), 10)
		t.end()
	}
	address := func(a netip.AddrPort) {
		t.text = a.AppendTo(t.text)
		t.end()
	}
	idle, busy := s.Config.DetectionTime()
	number(s.PID)
	t.add(printable(s.Command))
	number(s.FD)
	address(s.Local)
	address(s.Remote)
	t.add(s.State, onOff(s.Config.Enable), s.Config.Idle.String(), s.Config.Interval.String())
	number(s.Config.Count)
	t.add(userTimeout(s), noticedIdle(idle), noticedBusy(busy))
	if s.Counted {
		number(s.Probes)
	} else {
		t.add("-")
	}
	if s.Counted && s.Heard {
		t.add(tenths(s.Silence).String())
	} else {
		t.add("-")
	}
	t.text = strconv.AppendUint(t.text, s.Pending, 10)
	switch {
	case s.Shut:
		t.text = append(t.text, " shut"...)
	case s.Stuck:
		t.text = append(t.text, " stuck"...)
	}
	t.end()
}

// userTimeout is "-" for a socket that has none.
func userTimeout(s *census.Socket) string {
	if !s.HasUserTimeout {
		return "-"
	}
	return s.Config.UserTimeout.String()
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func noticedIdle(d time.Duration) string {
	if d == tcpopt.Unbounded {
		return "never"
	}
	return d.String()
}

// noticedBusy says system where the sysctl tcp_retries2 decides, see tcp(7).
func noticedBusy(d time.Duration) string {
	if d == tcpopt.Unbounded {
		return "system"
	}
	return d.String()
}

// summarize says what was counted, and whatever could not be seen.
func summarize(w io.Writer, c *census.Census) {
	off, suspect := 0, 0
	for i := range c.Sockets {
		if !c.Sockets[i].Config.Enable {
			off++
		}
		if c.Sockets[i].Suspect() {
			suspect++
		}
	}
	fmt.Fprintf(w, "%s, %d without keepalive, %d suspect\n", plural(len(c.Sockets), "socket"), off, suspect)
	counts := unreadable(c)
	if n := len(c.Denied); n > 0 {
		fmt.Fprintf(w, "%s could not be read:\n", plural(n, "process"))
		for _, reason := range census.Reasons() {
			if counts[reason] > 0 {
				fmt.Fprintf(w, "  %d %s%s\n", counts[reason], reason.Meaning(), remedy(reason))
			}
		}
	}
	if c.Unowned != nil && *c.Unowned > 0 {
		fmt.Fprintf(w, "%s of this network namespace with no owner among the processes read\n", plural(*c.Unowned, "socket"))
	}
}

func plural(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "s"):
		return strconv.Itoa(n) + " " + what + "es"
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// A table is printed in columns that are as wide as their widest cell. A
// tabwriter.Writer takes several times as long.
type table struct {
	columns int
	text    []byte  // the cells, one after the other
	ends    []int32 // of the cells in text
	widths  []int
}

func newTable(head ...string) *table {
	t := &table{columns: len(head), widths: make([]int, len(head))}
	t.add(head...)
	return t
}

func (t *table) add(cells ...string) {
	for _, cell := range cells {
		t.text = append(t.text, cell...)
		t.end()
	}
}

// end ends a cell that was appended to t.text.
func (t *table) end() {
	column := len(t.ends) % t.columns
	start := 0
	if len(t.ends) > 0 {
		start = int(t.ends[len(t.ends)-1])
	}
	t.ends = append(t.ends, int32(len(t.text)))
	t.widths[column] = max(t.widths[column], len(t.text)-start)
}

func (t *table) print(w io.Writer) {
	spaces := strings.Repeat(" ", slices.Max(t.widths)+2)
	line := make([]byte, 0, 256)
	start := 0
	for row := range slices.Chunk(t.ends, t.columns) {
		line = line[:0]
		for i, end := range row {
			line = append(line, t.text[start:end]...)
			if i < t.columns-1 {
				line = append(line, spaces[:t.widths[i]-(int(end)-start)+2]...)
			}
			start = int(end)
		}
		w.Write(append(line, '\n')) // The caller's buffer keeps an error.
	}
}
