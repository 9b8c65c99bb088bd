package main

import (
	"bytes"
	"cmp"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

// A screenColumn is one fact of each T for people. A column without a text in any
// row is left out.
type screenColumn[T any] struct {
	head   string
	cell   func(of *T) string
	tone   func(of *T) tone // nil: plain
	number bool             // to be aligned at the right

	// What does not fit is shortened, if there is a way, to no less than this; the
	// columns of turn 1 first.
	shorten func(text string, columns int) string
	least   int
	turn    int

	below bool // on a line of its own where it does not fit
}

// socketColumns are those of ls.
var socketColumns = []screenColumn[census.Socket]{
	{head: "COMMAND", cell: func(s *census.Socket) string { return printable(s.Command) }, shorten: cutEnd, least: 12, turn: 2},
	{head: "PID", cell: func(s *census.Socket) string { return strconv.Itoa(s.PID) }, number: true},
	{head: "LOCAL", cell: func(s *census.Socket) string { return shortAddress(s.Local) }, shorten: cutLocal, least: 6, turn: 1},
	{head: "REMOTE", cell: remoteAddress, shorten: cutHost, least: 21, turn: 2},
	{head: "KEEPALIVE", cell: keepalive, shorten: cutEnd, least: 9, turn: 3},
	{head: "NOTICED", cell: noticed, tone: noticedTone, number: true},
	{head: "BUSY", cell: noticedBusy, number: true},
	{head: "NOTE", cell: note, tone: noteTone, below: true},
}

// worse orders sockets by how much they need attention.
func worse(a, b *census.Socket) int {
	rank := func(s *census.Socket) int {
		switch {
		case s.Suspect():
			return 0
		case s.State == census.StateListen:
			return 2 // It has no peer.
		}
		return 1
	}
	idleA, busyA := a.Detection()
	idleB, busyB := b.Detection()
	return cmp.Or(rank(a)-rank(b), cmp.Compare(idleB, idleA), cmp.Compare(busyB, busyA))
}

func shortAddress(a netip.AddrPort) string {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
}

func remoteAddress(s *census.Socket) string {
	if s.State == census.StateListen {
		return "listening"
	}
	return shortAddress(s.Remote)
}

// keepalive leaves out what has no effect: all times of a keepalive that is off,
// and the count beside a user timeout.
func keepalive(s *census.Socket) string {
	c := s.Config
	switch {
	case c.KeepAlive != tcpopt.On:
		return "off"
	case s.HasUserTimeout && c.UserTimeout > 0 && c.UserTimeout != tcpopt.Unbounded:
		return short(c.Idle) + "+" + short(c.Interval)
	}
	return short(c.Idle) + "+" + strconv.Itoa(c.Count) + "x" + short(c.Interval)
}

func noticed(s *census.Socket) string {
	if s.State == census.StateListen {
		return "-"
	}
	idle, _ := s.Detection()
	return idleDetection(idle, rough)
}

func noticedTone(s *census.Socket) tone {
	if noticed(s) == "never" {
		return warn
	}
	return plain
}

func noticedBusy(s *census.Socket) string {
	if s.State == census.StateListen {
		return "-"
	}
	_, busy := s.Detection()
	return busyDetection(busy, s.Limit, rough)
}

// note is what is out of the ordinary, if anything is.
func note(s *census.Socket) string {
	var notes []string
	if s.Probes > 0 {
		notes = append(notes, plural(s.Probes, "probe")+" unanswered")
	}
	switch {
	case s.Shut:
		notes = append(notes, "window shut, "+bytesOf(s.Pending)+" waiting")
	case s.Stuck:
		notes = append(notes, bytesOf(s.Pending)+" stuck")
	}
	if s.Suspect() && s.Heard {
		notes = append(notes, "silent for "+rough(tenths(s.Silence)))
	}
	if s.State != "established" && s.State != census.StateListen {
		notes = append(notes, s.State)
	}
	if s.Protocol == "mptcp" {
		notes = append(notes, s.Protocol)
	}
	return strings.Join(notes, ", ")
}

// bytesOf is a number of bytes in a unit that suits it.
func bytesOf(n uint64) string {
	const k = 1024
	switch {
	case n < 10*k:
		return strconv.FormatUint(n, 10) + " B"
	case n < 10*k*k:
		return strconv.FormatUint(n/k, 10) + " KiB"
	}
	return strconv.FormatUint(n/k/k, 10) + " MiB"
}

func noteTone(s *census.Socket) tone {
	if s.Suspect() {
		return alarm
	}
	return plain
}

// sumColumns are those of ls -by, after what it is by.
var sumColumns = []screenColumn[total]{
	{head: "SOCKETS", cell: func(t *total) string { return strconv.Itoa(t.Sockets) }, number: true},
	{head: "OFF", cell: func(t *total) string { return strconv.Itoa(t.Off) }, number: true},
	{head: "NEVER", cell: func(t *total) string { return strconv.Itoa(t.Unbounded) }, number: true,
		tone: func(t *total) tone { return where(t.Unbounded, warn) }},
	{head: "SLOWEST", cell: func(t *total) string {
		if t.Slowest == nil {
			return "-"
		}
		return rough(t.slowest)
	}, number: true},
	{head: "SYSTEM", cell: func(t *total) string { return strconv.Itoa(t.Busy) }, number: true},
	{head: "SUSPECT", cell: func(t *total) string { return strconv.Itoa(t.Suspect) }, number: true,
		tone: func(t *total) tone { return where(t.Suspect, alarm) }},
}

// where is how for what is there, and dim for what is not.
func where(n int, how tone) tone {
	if n == 0 {
		return dim
	}
	return how
}

// A grid is what printScreen prints.
type grid struct {
	terminal *terminal
	widths   []int
	b        []byte
}

// printScreen prints columns that fit the terminal.
func printScreen[T any](w io.Writer, t *terminal, columns []screenColumn[T], rows []T) {
	g := grid{terminal: t}
	var shown []screenColumn[T]
	var cells [][]string
	for _, c := range columns {
		texts, widest := make([]string, len(rows)), 0
		for i := range rows {
			texts[i] = c.cell(&rows[i])
			widest = max(widest, width(texts[i]))
		}
		if widest > 0 {
			shown, cells, g.widths = append(shown, c), append(cells, texts), append(g.widths, max(widest, width(c.head)))
		}
	}
	last := len(shown) - 1
	spills := shown[last].below && leastWidth(shown, g.widths) > t.width
	inLine := shown
	if spills {
		inLine, g.widths = shown[:last], g.widths[:last]
	}
	for turn := 1; turn <= lastTurn; turn++ {
		shrink(g.widths, inLine, t.width, turn)
	}
	for i, c := range inLine {
		g.add(i, c.head, bold, c.number, c.shorten)
	}
	g.end(w)
	for row := range rows {
		for i, c := range inLine {
			g.add(i, cells[i][row], c.toneOf(&rows[row]), c.number, c.shorten)
		}
		g.end(w)
		if text := cells[last][row]; spills && text != "" {
			g.b = append(g.b, "    "...)
			g.b = t.paint(g.b, shown[last].toneOf(&rows[row]), cutEnd(text, t.width-4))
			g.end(w)
		}
	}
}

func (c *screenColumn[T]) toneOf(row *T) tone {
	if c.tone == nil {
		return plain
	}
	return c.tone(row)
}

// add adds cell i of a line.
func (g *grid) add(i int, text string, how tone, number bool, shorten func(string, int) string) {
	if width(text) > g.widths[i] {
		if shorten == nil {
			shorten = cutEnd
		}
		text = shorten(text, g.widths[i])
	}
	pad := strings.Repeat(" ", g.widths[i]-width(text))
	if i > 0 {
		g.b = append(g.b, "  "[:between]...)
	}
	if number {
		g.b = append(g.b, pad...)
	}
	g.b = g.terminal.paint(g.b, how, text)
	if !number {
		g.b = append(g.b, pad...)
	}
}

func (g *grid) end(w io.Writer) {
	w.Write(append(bytes.TrimRight(g.b, " "), '\n')) // The caller's buffer keeps an error.
	g.b = g.b[:0]
}

const (
	// between is how many columns of a terminal are between two of a table.
	between = 2

	// lastTurn is when all are shortened to half of their least: better that than
	// lines that wrap.
	lastTurn = 4
)

// leastWidth is that of a line with all columns at their least.
func leastWidth[T any](columns []screenColumn[T], widths []int) int {
	sum := between * (len(widths) - 1)
	for i, c := range columns {
		if c.shorten != nil {
			sum += min(widths[i], c.least)
		} else {
			sum += widths[i]
		}
	}
	return sum
}

// shrink takes from the columns whose turn it is, one after the other from the one
// that has most to spare, until all fit.
func shrink[T any](widths []int, columns []screenColumn[T], room, turn int) {
	room -= between * (len(widths) - 1)
	for _, w := range widths {
		room -= w
	}
	spare := func(i int) int {
		switch c := &columns[i]; {
		case c.shorten == nil || c.turn > turn:
			return 0
		case turn == lastTurn:
			return widths[i] - max(c.least/2, 4)
		default:
			return widths[i] - c.least
		}
	}
	for ; room < 0; room++ {
		most := 0
		for i := range widths {
			if spare(i) > spare(most) {
				most = i
			}
		}
		if spare(most) <= 0 {
			return
		}
		widths[most]--
	}
}
