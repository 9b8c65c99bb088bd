package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

// A report is what defaults prints, in the form of -json.
type report struct {
	OS       string    `json:"os"`
	Defaults values    `json:"defaults"`
	Settings []setting `json:"settings"`
	Limit    *float64  `json:"system_limit_seconds"` // for data in flight, at least; null: not known
	Options  []option  `json:"options"`

	of string // whose sockets these are
}

type setting struct {
	Name  string  `json:"name"`
	Value *int64  `json:"value"`        // null: not to be read, and error says why
	Unit  float64 `json:"unit_seconds"` // 0: a count or a switch
	Error *string `json:"error"`
}

type option struct {
	Name  string `json:"name"`
	Field string `json:"field"`
	Get   bool   `json:"get"`
	Set   bool   `json:"set"`
}

func runDefaults(v *verb, args []string, stdout io.Writer) error {
	var flags flag.FlagSet
	asJSON := flags.Bool("json", false, "print a JSON object")
	var pids []int
	flags.Func("pid", "print the defaults in the network namespace of process `N`; each container has one of its own", pidsFlag{&pids}.Set)
	if err := v.parse(&flags, args, stdout); err != nil {
		return err
	}
	var r report
	var err error
	if len(pids) == 0 {
		r, err = learn()
		r.of = "on " + r.OS
	} else if e := census.Within(pids[0], func() error { r, err = learn(); return nil }); e != nil {
		return e
	} else {
		r.of = fmt.Sprintf("in the network namespace of process %d", pids[0])
	}
	if *asJSON {
		return errors.Join(err, writeJSON(stdout, r))
	}
	w := terminalOf(stdout).writer(stdout)
	return errors.Join(err, r.print(w), w.Flush())
}

// learn asks the system. What it could learn is in the report all the same if
// the error is not nil.
func learn() (report, error) {
	r := report{OS: runtime.GOOS, Settings: []setting{}, Options: []option{}}
	settings, err := tcpopt.SystemSettings()
	if errors.Is(err, errors.ErrUnsupported) {
		err = nil // Many systems have none, and a socket has them.
	}
	for _, s := range settings {
		r.Settings = append(r.Settings, newSetting(s))
	}
	if limit, lerr := census.SystemLimit(); !errors.Is(lerr, errors.ErrUnsupported) {
		r.Settings = append(r.Settings, newSetting(tcpopt.Setting{Name: "net.ipv4.tcp_retries2", Value: int64(limit.Retries), Err: lerr}))
		if lerr == nil {
			r.Limit = bounded(limit.Least)
		}
	}
	c, derr := tcpopt.Defaults()
	if derr != nil {
		return r, errors.Join(err, derr)
	}
	options, oerr := tryOptions()
	r.Options = append(r.Options, options...)
	can := make(map[string]bool) // What can be read, so that zero means zero.
	for _, o := range options {
		can[o.Field] = o.Get
	}
	if c.UserTimeout == tcpopt.Unbounded {
		c.UserTimeout = 0 // As the socket has it.
	}
	r.Defaults = values{
		Idle:        known(c.Idle.Seconds(), can["idle"]),
		Interval:    known(c.Interval.Seconds(), can["interval"]),
		Count:       known(c.Count, can["count"]),
		UserTimeout: known(c.UserTimeout.Seconds(), can["user timeout"]),
	}
	if on := c.KeepAlive == tcpopt.On; c.KeepAlive != tcpopt.Leave {
		r.Defaults.Enable = &on
	}
	return r, errors.Join(err, oerr)
}

func newSetting(s tcpopt.Setting) setting {
	one := setting{Name: s.Name, Unit: s.Unit.Seconds()}
	if s.Err != nil {
		text := s.Err.Error()
		one.Error = &text
	} else {
		one.Value = &s.Value
	}
	return one
}

// tryOptions gets and sets each option on a new socket.
func tryOptions() (options []option, err error) {
	stop := errors.New("stop")
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		options = trySocket(tcpopt.FromRawConn(rc))
		return stop // Package net closes the socket.
	}}
	lc.SetMultipathTCP(false)
	_, err = lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if !errors.Is(err, stop) {
		_, err6 := lc.Listen(context.Background(), "tcp", "[::1]:0")
		err = errors.Join(err, err6)
	}
	if !errors.Is(err, stop) {
		return nil, fmt.Errorf("options: %w", err)
	}
	return options, nil
}

func trySocket(s tcpopt.Socket) []option {
	try := func(field string, get, set, refused error) option {
		name := "SO_KEEPALIVE"
		var oe *tcpopt.OptionError
		if errors.As(refused, &oe) {
			name = oe.Option
		}
		return option{Name: name, Field: field, Get: get == nil, Set: set == nil}
	}
	_, get := s.KeepAlive()
	options := []option{try("enable", get, s.SetKeepAlive(true), nil)}
	_, get = s.KeepAliveIdle()
	options = append(options, try("idle", get, s.SetKeepAliveIdle(time.Minute), s.SetKeepAliveIdle(-1)))
	_, get = s.KeepAliveInterval()
	options = append(options, try("interval", get, s.SetKeepAliveInterval(time.Minute), s.SetKeepAliveInterval(-1)))
	_, get = s.KeepAliveCount()
	options = append(options, try("count", get, s.SetKeepAliveCount(5), s.SetKeepAliveCount(-1)))
	_, get = s.UserTimeout()
	options = append(options, try("user timeout", get, s.SetUserTimeout(time.Minute), s.SetUserTimeout(-1)))
	if !options[1].Set || !options[2].Set {
		if s.SetConfig(tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Minute, Interval: time.Minute}) == nil {
			options = append(options, option{Name: "SIO_KEEPALIVE_VALS", Field: "idle with interval", Set: true})
		}
	}
	return options
}

func (r report) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if d := r.Defaults; d.Enable != nil {
		none := "none"
		if len(r.Options) == 0 {
			none = "not known"
		}
		keepalive, count, user := "off", "not known", duration(d.UserTimeout, none)
		if *d.Enable {
			keepalive = "on"
		}
		if d.Count != nil {
			count = fmt.Sprint(*d.Count)
		}
		if user == "0s" {
			user = "0s (the system's own limit)"
			if r.Limit != nil {
				user = "0s (the system's own limit, at least " + duration(r.Limit, "") + ")"
			}
		}
		fmt.Fprintf(tw, "A new TCP socket %s has\n", r.of)
		fmt.Fprintf(tw, "  keepalive\t%s\n", keepalive)
		fmt.Fprintf(tw, "  idle\t%s\n", duration(d.Idle, "not known"))
		fmt.Fprintf(tw, "  interval\t%s\n", duration(d.Interval, "not known"))
		fmt.Fprintf(tw, "  count\t%s\n", count)
		fmt.Fprintf(tw, "  user timeout\t%s\n", user)
	}
	if len(r.Settings) > 0 {
		fmt.Fprintln(tw, "\nset for the whole system by")
	}
	for _, s := range r.Settings {
		fmt.Fprintf(tw, "  %s\n", s)
	}
	if len(r.Options) > 0 {
		fmt.Fprintln(tw, "\nand takes these options")
	}
	for _, o := range r.Options {
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", o.Name, o.Field, o.can())
	}
	return tw.Flush()
}

// duration is s, or none where it is null.
func duration(s *float64, none string) string {
	if s == nil {
		return none
	}
	return short(time.Duration(math.Round(*s * float64(time.Second))))
}

func (s setting) String() string {
	if s.Error != nil {
		return fmt.Sprintf("%s: %s", s.Name, *s.Error)
	}
	unit := map[float64]string{0: "", 1: " s", 0.5: " half-seconds", 0.001: " ms"}
	name, ok := unit[s.Unit]
	if !ok {
		name = fmt.Sprintf(" x %g s", s.Unit)
	}
	return fmt.Sprintf("%s = %d%s", s.Name, *s.Value, name)
}

func (o option) can() string {
	switch {
	case o.Get && o.Set:
		return "get and set"
	case o.Get:
		return "get"
	case o.Set:
		return "set"
	}
	return "neither"
}
