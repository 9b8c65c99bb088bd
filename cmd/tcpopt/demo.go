package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// beat is the time between two looks at the connections.
const beat = 100 * time.Millisecond

func runDemo(v *verb, args []string, stdout io.Writer) error {
	var flags flag.FlagSet
	six := 6 * time.Second
	within := &six
	flags.Var(timeFlag{d: &within}, "within", "the `time` within which the second connection notices, by default 6s; the demo takes that long")
	if err := v.parse(&flags, args, stdout); err != nil {
		return err
	}
	if runtime.GOOS != "linux" {
		return fmt.Errorf("not on %s, it takes network namespaces of Linux", runtime.GOOS)
	}
	config, err := tcpopt.Within(*within)
	if err != nil {
		return misused(err)
	}
	netlab.Enter() // Where it fails, NewHost says why.
	scene, err := newLab()
	if err != nil {
		scene, err = newLoopback(err)
	}
	if err != nil {
		return err
	}
	return perform(scene, config, short(*within), stdout)
}

func perform(s *scene, config tcpopt.Config, within string, stdout io.Writer) error {
	first, err := newParty(s, "defaults", nil)
	if err != nil {
		return err
	}
	second, err := newParty(s, "within "+within, &config)
	if err != nil {
		return err
	}
	t := terminalOf(stdout)
	p := &play{scene: s, parties: [2]*party{first, second}, w: t.writer(stdout)}
	p.columns = t.drawable()
	return p.run()
}

// drawable is the width that can be drawn over, or 0 if it cannot or is too small.
func (t *terminal) drawable() int {
	if t == nil || !t.moves || t.width < 60 || t.height > 0 && t.height <= lines {
		return 0
	}
	return t.width
}

// A party is one of the two connections.
type party struct {
	name       string
	near, peer *net.TCPConn
	socket     tcpopt.Socket
	config     tcpopt.Config // in effect
	seen       tcpopt.Progress
	err        error         // that Read returned
	after      time.Duration // when it did
	line       []byte        // the timeline
	probes     int           // of those in it
}

// newParty connects, and sets config if there is any.
func newParty(s *scene, name string, config *tcpopt.Config) (*party, error) {
	near, peer, err := s.connect()
	if err != nil {
		return nil, err
	}
	go io.Copy(peer, peer)
	c := &party{name: name, near: near, peer: peer}
	if c.socket, err = tcpopt.FromConn(near); err != nil {
		return nil, err
	}
	if config != nil {
		if err := c.socket.SetConfig(*config); err != nil {
			return nil, err
		}
	}
	c.config, err = c.socket.Config()
	return c, err
}

// exchange sends a byte, which comes back.
func (c *party) exchange() error {
	c.near.SetDeadline(time.Now().Add(life))
	defer c.near.SetDeadline(time.Time{})
	b := []byte{'?'}
	if _, err := c.near.Write(b); err != nil {
		return err
	}
	_, err := io.ReadFull(c.near, b)
	return err
}

// settings leaves out the times of a keepalive that is off.
func (c *party) settings() string {
	if c.config.KeepAlive != tcpopt.On {
		return "keepalive off, as every new socket has it"
	}
	return fmt.Sprintf("keepalive on, idle %s, interval %s, count %d, user timeout %s",
		short(c.config.Idle), short(c.config.Interval), c.config.Count, short(c.config.UserTimeout))
}

func (c *party) state() string {
	switch {
	case c.err != nil:
		return fmt.Sprintf("noticed after %s, %v", rough(tenths(c.after)), c.err)
	case c.seen.Probes > 0:
		return "connected, " + plural(c.seen.Probes, "probe") + " unanswered"
	}
	return "connected"
}

// What a timeline is made of, beside the numbers of probes.
const (
	answered = '='
	cut      = '|'
	quiet    = '.'
	detected = 'X'
)

// draw continues the timeline to cell, by mark if there is nothing else to tell.
func (c *party) draw(cell int, mark byte) {
	fill := mark
	switch {
	case mark == cut:
		fill = answered
	case c.err != nil:
		mark = detected
	case c.seen.Probes > c.probes:
		c.probes = c.seen.Probes
		mark = byte('0' + c.probes)
	}
	for len(c.line) <= cell {
		c.line = append(c.line, fill)
	}
	if mark != fill {
		c.line[cell] = mark
	}
}

// A play has two parties, of which the second notices.
type play struct {
	scene   *scene
	parties [2]*party
	w       *bufio.Writer
	columns int           // of the terminal; 0: plain lines
	span    time.Duration // of the timelines
	told    string
}

func (p *play) run() error {
	first, second := p.parties[0], p.parties[1]
	planned, _ := second.config.DetectionTime()
	p.begin(planned)
	start := time.Now()
	for since := -life; ; since = time.Since(start) - life {
		for _, c := range p.parties {
			if err := c.exchange(); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		if err := p.show(since, answered); err != nil {
			return err
		}
		if since >= 0 {
			break
		}
		time.Sleep(min(beat, -since))
	}
	if err := p.scene.cut([2]*net.TCPConn{first.peer, second.peer}); err != nil {
		return err
	}
	start = time.Now()
	ended := make(chan func())
	for _, c := range p.parties {
		go func() {
			_, err := c.near.Read(make([]byte, 1))
			after := time.Since(start)
			if op := (*net.OpError)(nil); errors.As(err, &op) {
				err = op.Err
			}
			ended <- func() { c.err, c.after = err, after }
		}()
	}
	for mark := byte(cut); second.err == nil; mark = quiet {
		since := time.Since(start)
		if since > planned+planned/4+2*time.Second { // A timer may be an eighth late.
			return fmt.Errorf("%s has noticed nothing after %v", second.name, tenths(since))
		}
		if err := p.show(since, mark); err != nil {
			return err
		}
		select {
		case set := <-ended:
			set()
		case <-time.After(beat):
		}
	}
	if err := p.show(second.after, quiet); err != nil {
		return err
	}
	if !tcpopt.IsDeadPeer(second.err) {
		return fmt.Errorf("%s ended in another way: %w", second.name, second.err)
	}
	return p.end(planned)
}

// begin says who they are.
func (p *play) begin(planned time.Duration) {
	first, second := p.parties[0], p.parties[1]
	p.span = life + planned + planned/8
	width := max(len(first.name), len(second.name))
	fmt.Fprintln(p.w, p.scene.about)
	for _, c := range p.parties {
		fmt.Fprintf(p.w, "  %-*s  %s\n", width, c.name, c.settings())
	}
	if p.columns > 0 {
		fmt.Fprintf(p.w, "\n%c answered  %c %s  %c silence  1 unanswered probe  %c noticed\n\n", answered, cut, p.scene.event, quiet, detected)
		fmt.Fprint(p.w, strings.Repeat("\n", lines))
		return
	}
	fmt.Fprintf(p.w, "%8s  %-10s  %s\n", "time", first.name, second.name)
}

// end says what it comes to.
func (p *play) end(planned time.Duration) error {
	first, second := p.parties[0], p.parties[1]
	system, err := tcpopt.Defaults() // Of this host, not of the private ones.
	if err != nil {
		return err
	}
	system.KeepAlive = tcpopt.On
	on, _ := system.DetectionTime()
	idle, _ := first.config.DetectionTime()
	fmt.Fprintf(p.w, "\nThe second %s; planned: %s.\n", second.state(), short(planned))
	fmt.Fprintf(p.w, "The first is still %s. While it sends nothing, it notices: %s.\n", first.state(), idleDetection(idle, short))
	fmt.Fprintf(p.w, "With keepalive on, this system's times would make that %s.\n", idleDetection(on, short))
	return p.w.Flush()
}

// lines is how many lines draw takes.
const lines = 6

// show looks at both and shows what there is at the time since the cut.
func (p *play) show(since time.Duration, mark byte) error {
	for _, c := range p.parties {
		var err error
		if c.seen, err = c.socket.Progress(); err != nil {
			return err
		}
	}
	if p.columns > 0 {
		p.draw(since, mark)
	} else {
		p.tell(since, mark)
	}
	return p.w.Flush()
}

// draw draws over the last lines of the terminal. Whatever ends the program
// later, the cursor is on the next.
func (p *play) draw(since time.Duration, mark byte) {
	fmt.Fprintf(p.w, "\r\x1b[%dA", lines)
	width := min(p.columns, 100) - 3
	cell := min(int((since+life)*time.Duration(width)/p.span), width-1)
	for _, c := range p.parties {
		c.draw(cell, mark)
		state := c.state()
		if c.err == nil {
			state += fmt.Sprintf(", silent for %s", rough(tenths(c.seen.Silence)))
		}
		fmt.Fprintf(p.w, "%s\x1b[K\n  %s\x1b[K\n  %s\x1b[K\n", c.name, c.line, state)
	}
}

// tell adds a line if anything has changed.
func (p *play) tell(since time.Duration, mark byte) {
	if mark == cut {
		fmt.Fprintf(p.w, "%8v  %s\n", tenths(since), p.scene.event)
	}
	now := fmt.Sprintf("%-10s  %s", p.parties[0].state(), p.parties[1].state())
	if now != p.told {
		fmt.Fprintf(p.w, "%8v  %s\n", tenths(since), now)
	}
	p.told = now
}
