package main

import (
	"bufio"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt"
)

// A plan is what plan prints, in the form of -json. Null is unbounded, or in
// Config what the system lacks.
type plan struct {
	Version   int               `json:"version"`
	Within    float64           `json:"within_seconds"`
	Config    values            `json:"config"`
	Detection *float64          `json:"detection_seconds"`
	BusyEnd   *float64          `json:"busy_seconds"`
	Idle      []event           `json:"idle"`
	Busy      []event           `json:"busy"`
	Texts     map[string]string `json:"texts"`

	within time.Duration
	config tcpopt.Config
}

// An event is what happens some time after the peer was last heard of or, in
// Busy, after data was sent that stays unacknowledged.
type event struct {
	At   *float64 `json:"at_seconds"`
	What string   `json:"event"`

	at time.Duration
}

func runPlan(v *verb, args []string, stdout io.Writer) error {
	var flags flag.FlagSet
	asJSON := flags.Bool("json", false, "print a JSON object")
	var operand string
	if err := v.parse(&flags, args, stdout, &operand); err != nil {
		return err
	}
	if operand == "" {
		return misused(errors.New("within what time? A duration such as 30s is needed"))
	}
	var within *time.Duration
	if err := (timeFlag{d: &within}).Set(operand); err != nil {
		return misused(fmt.Errorf("invalid duration %q: %w", operand, err))
	}
	c, err := tcpopt.Within(*within)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return err
	case err != nil:
		return misused(err)
	}
	p, w := newPlan(*within, c), bufio.NewWriter(stdout)
	if *asJSON {
		err = writeJSON(w, p)
	} else {
		p.print(w)
	}
	return cmp.Or(err, w.Flush())
}

// newPlan makes a plan of c, by which an idle dead peer is noticed at some time.
func newPlan(within time.Duration, c tcpopt.Config) *plan {
	idle, busy := c.DetectionTime()
	on := c.KeepAlive == tcpopt.On
	p := &plan{
		Version: 1, Within: within.Seconds(),
		Config: values{
			Enable: &on, Idle: known(c.Idle.Seconds(), false), Interval: known(c.Interval.Seconds(), false),
			Count: known(c.Count, false), UserTimeout: known(c.UserTimeout.Seconds(), false),
		},
		Detection: bounded(idle), BusyEnd: bounded(busy),
		Busy:  []event{{bounded(busy), "dead", busy}},
		Texts: terms(within, c), within: within, config: c,
	}
	for at := c.MaxSilence(); at < idle; at += c.Interval {
		p.Idle = append(p.Idle, event{bounded(at), "probe", at})
	}
	p.Idle = append(p.Idle, event{bounded(idle), "dead", idle})
	return p
}

func (p *plan) print(w io.Writer) {
	c := p.config
	count, timeout := "the system's", "none here"
	if c.Count > 0 {
		count = strconv.Itoa(c.Count)
	}
	if c.UserTimeout > 0 {
		timeout = c.UserTimeout.String()
	}
	fmt.Fprintf(w, "To notice a dead peer within %v, a TCP socket on %s is given\n", p.within, runtime.GOOS)
	fmt.Fprintf(w, "  keepalive     %s\n", onOff(c.KeepAlive == tcpopt.On))
	fmt.Fprintf(w, "  idle          %v\n", c.Idle)
	fmt.Fprintf(w, "  interval      %v\n", c.Interval)
	fmt.Fprintf(w, "  count         %s\n", count)
	fmt.Fprintf(w, "  user timeout  %s\n", timeout)

	fmt.Fprint(w, "\nidle: nothing in flight, counted from the last segment received\n")
	for _, e := range p.Idle {
		fmt.Fprintf(w, "  %-9v  %s\n", e.at, e.What)
	}
	fmt.Fprint(w, "\nbusy: data unacknowledged, counted from when it was sent\n")
	by := "the user timeout"
	switch {
	case p.BusyEnd == nil:
		by = "its limit for retransmissions"
	case c.UserTimeout == 0:
		by = "keepalive"
	}
	_, busy := c.DetectionTime()
	fmt.Fprintf(w, "  %-9s  dead, by %s\n", busyDetection(busy), by)
	fmt.Fprint(w, "\nTimes are nominal: on Linux each timer may run up to 1/8 of its time late.\n")
	if c.UserTimeout > 0 {
		fmt.Fprint(w, "There a user timeout also ends a connection whose peer keeps its window shut.\n")
	}
	switch {
	case !onLinux(c):
		fmt.Fprint(w, "Programs on Linux take whole seconds up to 32767, and a count: for them run this\nthere.\n")
	case c.UserTimeout == 0:
		fmt.Fprint(w, "What is for programs on Linux has no user timeout, as here: run this there.\n")
	}
	for _, t := range texts {
		if body, ok := p.Texts[t.key]; ok {
			fmt.Fprintf(w, "\n== %s\n\n%s\n", t.title, strings.TrimSuffix(body, "\n"))
		}
	}
}

// onLinux reports whether a socket of Linux takes c, which may be of another
// system.
func onLinux(c tcpopt.Config) bool {
	const most = 32767 * time.Second
	return c.Idle%time.Second == 0 && c.Interval%time.Second == 0 && c.Idle <= most && c.Interval <= most &&
		c.Count >= 1 && c.Count <= 127
}

// terms are the texts, filled in, by key.
func terms(within time.Duration, c tcpopt.Config) map[string]string {
	goTime := func(d time.Duration) string {
		if d%time.Second != 0 {
			return fmt.Sprintf("%d * time.Millisecond", d.Milliseconds())
		}
		return fmt.Sprintf("%d * time.Second", d/time.Second)
	}
	count := c.Count
	if count == 0 {
		count = -1 // Package net leaves it alone then.
	}
	libpq, haproxy := "", ""
	if c.UserTimeout > 0 {
		libpq = fmt.Sprintf(" tcp_user_timeout=%d", c.UserTimeout.Milliseconds())
		haproxy = fmt.Sprintf(" tcp-ut %ds", c.UserTimeout/time.Second)
	}
	r := strings.NewReplacer(
		"GO_WITHIN", goTime(within.Truncate(time.Second)), "GO_IDLE", goTime(c.Idle), "GO_INTERVAL", goTime(c.Interval),
		"IDLE", fmt.Sprint(int64(c.Idle/time.Second)), "INTERVAL", fmt.Sprint(int64(c.Interval/time.Second)), "COUNT", strconv.Itoa(count),
		" LIBPQ_USER_TIMEOUT", libpq, " TCP_UT", haproxy)
	filled := make(map[string]string)
	for _, t := range texts {
		if !t.linux || onLinux(c) {
			filled[t.key] = r.Replace(t.body)
		}
	}
	return filled
}

// A text is a plan in the terms of what people run. It says what is left out, and
// has words in capitals for what differs.
type text struct {
	key, title string
	linux      bool // for programs that run there
	body       string
}

var texts = []text{
	{"go_net", "Go with package net", false, `import (
	"net"
	"time"
)

// Package net has no user timeout: on Linux, data in flight is left to the
// system's own limit.
var keepAlive = net.KeepAliveConfig{
	Enable:   true,
	Idle:     GO_IDLE,
	Interval: GO_INTERVAL,
	Count:    COUNT,
}

var (
	dialer       = net.Dialer{KeepAliveConfig: keepAlive}
	listenConfig = net.ListenConfig{KeepAliveConfig: keepAlive}
)
`},
	{"go_tcpopt", "Go with tcpopt", false, `import (
	"net"
	"time"

	"github.com/tcpopt/tcpopt"
)

// dialWithin is for connections that do not exist yet.
func dialWithin() (net.Dialer, error) {
	c, err := tcpopt.Within(GO_WITHIN)
	return net.Dialer{KeepAlive: -1, Control: c.DialControl}, err
}

// listenWithin is refused by Listen where accepted connections do not inherit,
// as on macOS: use setWithin after Accept there.
func listenWithin() (net.ListenConfig, error) {
	c, err := tcpopt.Within(GO_WITHIN)
	return net.ListenConfig{KeepAlive: -1, Control: c.ListenControl}, err
}

// setWithin is for a connection that exists. It changes nothing and fails on one
// of multipath TCP, which has no user timeout.
func setWithin(conn net.Conn) error {
	c, err := tcpopt.Within(GO_WITHIN)
	if err != nil {
		return err
	}
	s, err := tcpopt.FromConn(conn)
	if err != nil {
		return err
	}
	return s.SetConfig(c)
}
`},
	{"sysctl", "sysctl.d", true, `# For sockets, those of IPv6 too, that switch keepalive on and set no times of
# their own. No user timeout: data in flight is left to net.ipv4.tcp_retries2.
net.ipv4.tcp_keepalive_time = IDLE
net.ipv4.tcp_keepalive_intvl = INTERVAL
net.ipv4.tcp_keepalive_probes = COUNT
`},
	{"libpq", "libpq 12 or later, in the conninfo of a client; the server has settings of its own", true, `keepalives=1 keepalives_idle=IDLE keepalives_interval=INTERVAL keepalives_count=COUNT LIBPQ_USER_TIMEOUT`},
	{"nginx", "nginx, inside http", true, `# For clients; to upstreams, proxy_socket_keepalive takes the system's times. No
# user timeout: data in flight is left to net.ipv4.tcp_retries2.
server {
	listen 8080 so_keepalive=IDLEs:INTERVALs:COUNT;
}
`},
	{"haproxy", "HAProxy 2.3 or later", true, `# Both sides have all of it. The timeouts of HAProxy end idle connections too,
# dead or not; here they are longer.
defaults
	mode tcp
	timeout connect 5s
	timeout client 1d
	timeout server 1d
	option clitcpka
	clitcpka-idle IDLEs
	clitcpka-intvl INTERVALs
	clitcpka-cnt COUNT
	option srvtcpka
	srvtcpka-idle IDLEs
	srvtcpka-intvl INTERVALs
	srvtcpka-cnt COUNT

frontend clients
	bind :8081 TCP_UT
	default_backend servers

backend servers
	server one 127.0.0.1:8080 TCP_UT
`},
	{"systemd", "systemd, NAME.socket beside NAME.service", true, `# Accepted connections inherit this. No user timeout: data in flight is left to
# net.ipv4.tcp_retries2.
[Unit]
Description=Notices dead peers

[Socket]
ListenStream=8080
KeepAlive=yes
KeepAliveTimeSec=IDLE
KeepAliveIntervalSec=INTERVAL
KeepAliveProbes=COUNT

[Install]
WantedBy=sockets.target
`},
}
