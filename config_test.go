package tcpopt_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
)

// everything is a Config with every field, and full with those that the OS has.
var (
	everything = tcpopt.Config{KeepAlive: tcpopt.On, Idle: 33 * time.Second, Interval: 11 * time.Second, Count: 4, UserTimeout: 44 * time.Second}
	full       = everything.Supported()
)

// overlay returns what is read after c was applied to a socket with base.
func overlay(base, c tcpopt.Config) tcpopt.Config {
	for _, o := range allSwitches {
		o.overlay(&base, &c)
	}
	for _, o := range allTimes {
		o.overlay(&base, &c)
	}
	for _, o := range allCounts {
		o.overlay(&base, &c)
	}
	return base
}

func (o tried[T, F]) overlay(base, c *tcpopt.Config) {
	var zero F
	if o.field != nil && *o.field(c) != zero && o.row.Readable() {
		*o.field(base) = *o.field(c)
	}
}

func TestSetConfig(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			set := full
			if tt.multipath {
				set.UserTimeout = 0
			}
			want := config(t, tt.socket)
			apply := func(c tcpopt.Config) {
				t.Helper()
				want = overlay(want, c)
				if err := tt.socket.SetConfig(c); err != nil {
					t.Fatal(err)
				}
				if got := config(t, tt.socket); got != want {
					t.Errorf("after SetConfig(%+v): %+v, want %+v", c, got, want)
				}
			}
			apply(set)
			apply(tcpopt.Config{})
			apply(tcpopt.Config{KeepAlive: tcpopt.Off})
			apply(tcpopt.Config{Idle: set.Idle, Interval: set.Interval}) // Leaves it off.
			apply(tcpopt.Config{KeepAlive: tcpopt.On})
			if set.UserTimeout != 0 {
				apply(tcpopt.Config{UserTimeout: set.UserTimeout + time.Second})
			}
			if set.UserTimeout != 0 && tcpopt.UserTimeoutRow.Least() == 0 {
				apply(tcpopt.Config{UserTimeout: tcpopt.Unbounded})
				if d, err := tt.socket.UserTimeout(); d != 0 || err != nil {
					t.Errorf("UserTimeout() = %v, %v after Unbounded, want 0", d, err)
				}
			}
			set.Idle, set.Interval = 2*set.Idle, 2*set.Interval
			set.KeepAlive = tcpopt.Off
			apply(set)
			apply(tcpopt.Config{KeepAlive: tcpopt.On})
		})
	}
}

// badInConfig are times that no system takes for the field.
func badInConfig(o times) []time.Duration {
	return slices.DeleteFunc(badTimes(o.row), func(d time.Duration) bool {
		none := o.name == "user timeout" && o.row.Least() == 0
		return d == 0 || d == tcpopt.Unbounded && none
	})
}

// TestConfigReturns puts back what was read.
func TestConfigReturns(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			want := config(t, tt.socket)
			if lacks := tt.multipath || !tcpopt.UserTimeoutRow.Settable(); lacks != (want.UserTimeout == 0) {
				t.Errorf("a new socket has %+v; it lacks a user timeout: %v", want, lacks)
			}
			before := want
			if tcpopt.KeepPairRow.Settable() && !tcpopt.KeepIdleRow.Settable() {
				before.Count = 0 // It is built in.
			}
			between := full
			if tt.multipath {
				between.UserTimeout = 0
			}
			for _, c := range []tcpopt.Config{between, before} {
				if err := tt.socket.SetConfig(c.Supported()); err != nil {
					t.Fatal(err)
				}
				if got := config(t, tt.socket); c == before && got != want {
					t.Errorf("set again: %+v, want %+v", got, want)
				}
			}
		})
	}
}

// TestConfigFromNet compares with what package net sets.
func TestConfigFromNet(t *testing.T) {
	for _, k := range []net.KeepAliveConfig{
		{},
		{Enable: true},
		{Enable: true, Idle: 33 * time.Second, Interval: 11 * time.Second, Count: 4},
		{Idle: 33 * time.Second, Interval: 11 * time.Second, Count: 4},
		{Enable: true, Idle: 1500 * time.Millisecond, Interval: 1, Count: 1},
		{Enable: true, Idle: -1, Interval: 11 * time.Second},
		{Enable: true, Interval: -time.Hour, Count: 3},
		{Enable: true, Idle: time.Minute, Count: -1},
		{Enable: true, Idle: -1, Interval: -1, Count: -1},
	} {
		c := tcpopt.ConfigFromNet(k)
		if c.KeepAlive == tcpopt.Leave || c.Idle < 0 || c.Interval < 0 || c.Count < 0 || c.UserTimeout != 0 {
			t.Errorf("ConfigFromNet(%+v) = %+v", k, c)
		}
		if !tcpopt.KeepIdleRow.Settable() || !tcpopt.KeepIntervalRow.Settable() || !tcpopt.KeepCountRow.Settable() {
			continue // Package net sets no more than it must there.
		}
		client, server := connect(t, "tcp4", false)
		if err := client.SetKeepAliveConfig(k); err != nil {
			t.Fatal(err)
		}
		if err := fromConn(t, server).SetConfig(c); err != nil {
			t.Fatal(err)
		}
		if got, want := config(t, fromConn(t, server)), config(t, fromConn(t, client)); got != want {
			t.Errorf("ConfigFromNet(%+v) = %+v sets %+v, and package net %+v", k, c, got, want)
		}
	}
}

func TestSetConfigRefusedChangesNothing(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			before := config(t, tt.socket)
			refused := func(c tcpopt.Config, label string, target error) {
				t.Helper()
				wantError(t, fmt.Sprintf("SetConfig(%+v)", c), tt.socket.SetConfig(c), label, target)
				if after := config(t, tt.socket); after != before {
					t.Errorf("SetConfig(%+v): config is %+v, want %+v", c, after, before)
				}
			}
			// A base that differs from what is set, in every field.
			base := full
			base.KeepAlive = tcpopt.SwitchOf(before.KeepAlive != tcpopt.On)
			if tt.multipath {
				base.UserTimeout = 0
			}
			for _, o := range allTimes {
				c := base
				if o.lackedBy(tt) {
					if *o.field(&c) != 0 {
						continue // Set together with another.
					}
					*o.field(&c) = time.Minute
					refused(c, o.row.Label(), errors.ErrUnsupported)
					continue
				}
				for _, d := range badInConfig(o) {
					*o.field(&c) = d
					refused(c, o.row.Label(), syscall.EINVAL)
				}
			}
			for _, n := range badCounts(tcpopt.KeepCountRow) {
				c := base
				if c.Count = n; n == 0 {
					continue
				}
				if row := tcpopt.KeepCountRow; row.Settable() {
					refused(c, row.Label(), syscall.EINVAL)
				} else {
					refused(c, row.Label(), errors.ErrUnsupported)
				}
			}
		})
	}
}

func TestConfigValidate(t *testing.T) {
	if !tcpopt.KeepAliveRow.Settable() {
		c := tcpopt.Config{KeepAlive: tcpopt.Off}
		wantError(t, "Validate()", c.Validate(), "SO_KEEPALIVE", errors.ErrUnsupported)
		if got := full.Supported(); got != (tcpopt.Config{}) {
			t.Errorf("Supported() = %+v, want none", got)
		}
		return
	}
	for _, c := range []tcpopt.Config{{}, {KeepAlive: tcpopt.On}, full} {
		if err := c.Validate(); err != nil {
			t.Errorf("Validate(%+v) = %v, want nil", c, err)
		}
		if got := c.Supported(); got != c {
			t.Errorf("%+v.Supported() = %+v, want the same", c, got)
		}
	}
	for _, o := range allTimes {
		var c tcpopt.Config
		*o.field(&c) = -time.Second
		err := c.Validate()
		if !o.row.Settable() {
			wantError(t, o.name, err, o.row.Label(), errors.ErrUnsupported)
			if got := c.Supported(); got != (tcpopt.Config{}) {
				t.Errorf("%+v.Supported() = %+v, want none", c, got)
			}
			continue
		}
		wantError(t, o.name, err, o.row.Label(), syscall.EINVAL)
		if got := c.Supported(); got != c {
			t.Errorf("%+v.Supported() = %+v, want the same: it never clamps", c, got)
		}
	}
}

// TestUnboundedNever has what illumos says of a user timeout of zero.
func TestUnboundedNever(t *testing.T) {
	row := tcpopt.UserTimeoutRow
	err := tcpopt.ValidateNever(tcpopt.Config{UserTimeout: tcpopt.Unbounded})
	if !row.Settable() {
		wantError(t, "Validate", err, row.Label(), errors.ErrUnsupported)
		return
	}
	wantError(t, "Validate", err, row.Label(), syscall.EINVAL)
	if want := fmt.Sprintf("Unbounded: out of range (%v to %v)", row.Duration(1), row.Duration(row.Most())); err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%q does not say %q", err, want)
	}
}

// TestSum has what the BSDs do not check: their timers would wrap.
func TestSum(t *testing.T) {
	count := tcpopt.KeepCountRow
	if !count.Settable() || !tcpopt.KeepIdleRow.Settable() {
		t.Skip("no idle time, or no count, on this OS")
	}
	const most = time.Hour // 60 s + 59 × 60 s.
	for _, tt := range []struct {
		name string
		c    tcpopt.Config
		bad  bool
	}{
		{"at the most", tcpopt.Config{Idle: time.Minute, Interval: time.Minute, Count: 59}, false},
		{"count above", tcpopt.Config{Idle: time.Minute, Interval: time.Minute, Count: 60}, true},
		{"idle above", tcpopt.Config{Idle: time.Minute + 1, Interval: time.Minute, Count: 59}, true},
		{"interval above", tcpopt.Config{Idle: time.Minute, Interval: time.Minute + 1, Count: 59}, true},
		{"idle alone above", tcpopt.Config{Idle: 2 * time.Hour, Interval: time.Minute, Count: 1}, true},
		{"idle left alone", tcpopt.Config{Interval: time.Minute, Count: 60}, false},
		{"idle left alone, above", tcpopt.Config{Interval: time.Minute, Count: 61}, true},
		{"interval left alone", tcpopt.Config{Idle: 2 * time.Hour, Count: 60}, false},
		{"count left alone", tcpopt.Config{Idle: 2 * time.Hour, Interval: time.Minute}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if row := tcpopt.KeepIntervalRow; row.Duration(row.Most()) <= time.Minute && tt.c.Interval > time.Minute {
				t.Skip("an interval is a minute at most on this OS")
			}
			if err := tcpopt.ValidateSum(tt.c, 0); err != nil {
				t.Errorf("without a sum: %v, want nil", err)
			}
			err := tcpopt.ValidateSum(tt.c, most)
			if !tt.bad {
				if err != nil {
					t.Errorf("%v, want nil", err)
				}
				return
			}
			wantError(t, "Validate", err, count.Label(), syscall.EINVAL)
			want := fmt.Sprintf("%d: out of range (idle + count × interval is at most 1h0m0s)", tt.c.Count)
			if err != nil && !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%q does not end with %q", err, want)
			}
		})
	}
}

// TestNothing is of the Config that asks for nothing, on what refuses all else.
func TestNothing(t *testing.T) {
	var nothing tcpopt.Config
	if err := nothing.Validate(); err != nil {
		t.Errorf("Validate() = %v, want nil", err)
	}
	for name, f := range map[string]controlFunc{"DialControl": nothing.DialControl, "ListenControl": nothing.ListenControl} {
		if err := f("tcp", "", noControl{}); err != nil {
			t.Errorf("%s = %v, want nil", name, err)
		}
	}
	if err := tcpopt.FromRawConn(noControl{}).SetConfig(nothing); err != nil {
		t.Errorf("SetConfig = %v, want nil", err)
	}
	if err := tcpopt.AsListener(tcpopt.FromRawConn(noControl{})).SetConfig(nothing); err != nil {
		t.Errorf("SetConfig of a listener = %v, want nil", err)
	}
	wantError(t, "SetConfig of the zero Socket", tcpopt.Socket{}.SetConfig(nothing), "SO_KEEPALIVE", syscall.EINVAL)
	if !tcpopt.KeepAliveRow.Settable() {
		return
	}
	client, _ := connect(t, "tcp4", false)
	s := fromConn(t, client)
	client.Close()
	if err := s.SetConfig(nothing); err != nil {
		t.Errorf("SetConfig of a closed connection = %v, want nil", err)
	}
}

func TestSwitch(t *testing.T) {
	for s, want := range map[tcpopt.Switch]string{tcpopt.Leave: "Leave", tcpopt.On: "On", tcpopt.Off: "Off", 3: "Switch(3)", 255: "Switch(255)"} {
		if got := s.String(); got != want {
			t.Errorf("Switch(%d) is %q, want %q", s, got, want)
		}
	}
	if on, off := tcpopt.SwitchOf(true), tcpopt.SwitchOf(false); on != tcpopt.On || off != tcpopt.Off {
		t.Errorf("SwitchOf = %v, %v, want On and Off", on, off)
	}
	for _, s := range []tcpopt.Switch{3, 255} {
		c := tcpopt.Config{KeepAlive: s, Count: 4}
		want := fmt.Sprintf("tcpopt: set SO_KEEPALIVE: %v: out of range (Leave to Off)", s)
		if !tcpopt.KeepCountRow.Settable() {
			c.Count = 0
		}
		for name, err := range map[string]error{"Validate": c.Validate(), "SetConfig": tcpopt.FromRawConn(noControl{}).SetConfig(c)} {
			wantError(t, name, err, "SO_KEEPALIVE", syscall.EINVAL)
			if err != nil && err.Error() != want {
				t.Errorf("%s: %q, want %q", name, err, want)
			}
		}
		if got := c.Supported(); tcpopt.KeepAliveRow.Settable() && got != c {
			t.Errorf("%+v.Supported() = %+v, want the same: it never clamps", c, got)
		}
	}
}

// TestPair holds where idle and interval can only be set together.
func TestPair(t *testing.T) {
	needSockets(t)
	if !tcpopt.KeepPairRow.Settable() || tcpopt.KeepIdleRow.Settable() && tcpopt.KeepIntervalRow.Settable() {
		t.Skip("idle and interval are options of their own")
	}
	client, _ := connect(t, "tcp4", false)
	s := fromConn(t, client)
	on := false
	for _, c := range []tcpopt.Switch{tcpopt.Leave, tcpopt.On, tcpopt.Leave, tcpopt.Off, tcpopt.Leave, tcpopt.On} {
		on = c == tcpopt.On || on && c == tcpopt.Leave
		if err := s.SetConfig(tcpopt.Config{KeepAlive: c, Idle: 33 * time.Second, Interval: 11 * time.Second}); err != nil {
			t.Error(err)
		}
		if got, err := s.KeepAlive(); got != on || err != nil {
			t.Errorf("KeepAlive() = %v, %v after %v, want %v", got, err, c, on)
		}
	}
	if os.Getenv("TCPOPT_HOLD") != "" { // Somebody wants to look at it from below.
		fmt.Println("holding port", client.LocalAddr().(*net.TCPAddr).Port)
		io.Copy(io.Discard, os.Stdin)
	}
	if err := s.SetConfig(tcpopt.Config{KeepAlive: tcpopt.Off}); err != nil {
		t.Error(err)
	}
	err := s.SetConfig(tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Minute, Interval: math.MaxInt64})
	wantError(t, "SetConfig", err, tcpopt.KeepPairRow.Label(), syscall.EINVAL)
	if on, err := s.KeepAlive(); on || err != nil {
		t.Errorf("KeepAlive() = %v, %v after a refusal, want false", on, err)
	}
}

// TestPairElsewhere has what TestPair needs on every system, and sets nothing.
func TestPairElsewhere(t *testing.T) {
	needSockets(t)
	const pair = "SIO_KEEPALIVE_VALS"
	on, idle, interval := tcpopt.KeepAliveRow.Label(), tcpopt.KeepIdleRow.Label(), tcpopt.KeepIntervalRow.Label()
	for _, alone := range []bool{false, true} {
		if alone && !tcpopt.KeepIdleRow.Settable() {
			continue
		}
		for _, tt := range []struct {
			idle, interval time.Duration
			lacks          string
			order          []string
		}{
			{0, 0, "", []string{on}},
			{time.Minute, time.Minute, "", []string{pair, on}},
			{0, time.Minute, interval, nil},
			{time.Minute, 0, idle, []string{idle, on}},
		} {
			c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: tt.idle, Interval: tt.interval}
			tcpopt.WithPair(alone, func() {
				if tt.lacks == "" || tt.lacks == idle && alone {
					if err := c.Validate(); err != nil || c.Supported() != c {
						t.Errorf("idle alone %v: %+v: %v, supported %+v", alone, c, err, c.Supported())
					}
					if got := tcpopt.WriteOrder(c, false); !slices.Equal(got, tt.order) {
						t.Errorf("idle alone %v: %+v is written in the order %v, want %v", alone, c, got, tt.order)
					}
					return
				}
				wantError(t, fmt.Sprintf("Validate(%+v)", c), c.Validate(), tt.lacks, errors.ErrUnsupported)
				if got := c.Supported(); got != (tcpopt.Config{KeepAlive: tcpopt.On}) {
					t.Errorf("idle alone %v: %+v.Supported() = %+v, want the switch", alone, c, got)
				}
			})
		}
	}
}

func TestWriteOrder(t *testing.T) {
	if !tcpopt.KeepIdleRow.Settable() || !tcpopt.KeepIntervalRow.Settable() {
		t.Skip("idle and interval are not options of their own on this OS")
	}
	on, idle, interval, count := tcpopt.KeepAliveRow.Label(), tcpopt.KeepIdleRow.Label(), tcpopt.KeepIntervalRow.Label(), tcpopt.KeepCountRow.Label()
	first := []string{}
	if tcpopt.UserTimeoutRow.Settable() { // What a socket may lack.
		first = []string{tcpopt.UserTimeoutRow.Label()}
	}
	for needsOn, want := range map[bool][]string{
		false: append(first[:len(first):len(first)], idle, interval, count, on),
		true:  append(first[:len(first):len(first)], on, idle, interval, count),
	} {
		if got := tcpopt.WriteOrder(full, needsOn); !slices.Equal(got, want) {
			t.Errorf("written in the order %v, want %v", got, want)
		}
	}
}
