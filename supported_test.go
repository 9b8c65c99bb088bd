package tcpopt_test

import (
	"errors"
	"fmt"
	"reflect"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
)

// wantSupported checks that SetSupported(everything) on s sets what it says, and that
// want is what it says.
func wantSupported(t *testing.T, s tcpopt.Socket, want tcpopt.Config) {
	t.Helper()
	before := config(t, s)
	got, err := s.SetSupported(everything)
	if got != want || err != nil {
		t.Errorf("SetSupported(%+v) = %+v, %v, want %+v", everything, got, err, want)
	}
	if after, want := config(t, s), overlay(before, want); after != want {
		t.Errorf("after SetSupported: %+v, want %+v", after, want)
	}
}

func TestSetSupported(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			before := config(t, tt.socket)
			want := everything
			pair := tcpopt.KeepPairRow.Settable()
			for _, o := range allTimes {
				if o.lackedBy(tt) && (o.plain || !pair) {
					*o.field(&want) = 0
				}
			}
			if !tcpopt.KeepCountRow.Settable() {
				want.Count = 0
			}
			wantSupported(t, tt.socket, want)

			// What was read comes back, in one piece.
			if _, err := tt.socket.SetSupported(before); err != nil {
				t.Error(err)
			}
			if after := config(t, tt.socket); after != before {
				t.Errorf("set again: %+v, want %+v", after, before)
			}

			if got, err := tt.socket.SetSupported(tcpopt.Config{}); got != (tcpopt.Config{}) || err != nil {
				t.Errorf("SetSupported of nothing = %+v, %v", got, err)
			}
			refused := func(c tcpopt.Config, label string) {
				t.Helper()
				got, err := tt.socket.SetSupported(c)
				wantError(t, fmt.Sprintf("SetSupported(%+v)", c), err, label, syscall.EINVAL)
				if after := config(t, tt.socket); got != (tcpopt.Config{}) || after != before {
					t.Errorf("SetSupported(%+v) = %+v and left %+v, want nothing and %+v", c, got, after, before)
				}
			}
			for _, o := range allTimes {
				if !o.row.Settable() {
					continue
				}
				for _, d := range badInConfig(o) {
					c := everything
					*o.field(&c) = d
					refused(c, o.row.Label())
				}
			}
			for _, n := range badCounts(tcpopt.KeepCountRow) {
				if c := everything; n != 0 && tcpopt.KeepCountRow.Settable() {
					c.Count = n
					refused(c, tcpopt.KeepCountRow.Label())
				}
			}
			c := everything
			c.KeepAlive = 3
			refused(c, tcpopt.KeepAliveRow.Label())
		})
	}
}

// TestSetSupportedAlone is of idle or interval without the other.
func TestSetSupportedAlone(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	s := fromConn(t, client)
	for _, o := range allTimes {
		var c, want tcpopt.Config
		if *o.field(&c) = time.Minute; o.row.Settable() {
			want = c
		}
		if got, err := s.SetSupported(c); got != want || err != nil {
			t.Errorf("SetSupported(%+v) = %+v, %v, want %+v", c, got, err, want)
		}
	}
}

func TestSetSupportedListener(t *testing.T) {
	l := listen(t, "tcp4", false)
	s, err := tcpopt.FromListener(l)
	if err != nil {
		t.Fatal(err)
	}
	want := full
	if !tcpopt.KeepAliveRow.Inherits() {
		want = tcpopt.Config{}
	}
	wantSupported(t, s, want)
}

// TestSetSupportedElsewhere has other systems' rows on a socket of this one.
func TestSetSupportedElsewhere(t *testing.T) {
	nothing := func() {
		for _, s := range []tcpopt.Socket{tcpopt.FromRawConn(noControl{}), tcpopt.AsListener(tcpopt.FromRawConn(noControl{}))} {
			for _, tt := range allCalls {
				if tt.name != "SetSupported" {
					wantError(t, tt.name, tt.call(s), tt.label, errors.ErrUnsupported)
				}
			}
			c := everything
			for _, c.KeepAlive = range []tcpopt.Switch{tcpopt.On, tcpopt.Off} {
				if got, err := s.SetSupported(c); got != (tcpopt.Config{}) || err != nil {
					t.Errorf("without options: SetSupported(%+v) = %+v, %v, want nothing", c, got, err)
				}
			}
			c.KeepAlive = 3
			got, err := s.SetSupported(c)
			wantError(t, fmt.Sprintf("SetSupported(%+v) = %+v", c, got), err, "SO_KEEPALIVE", syscall.EINVAL)
		}
		_, err := tcpopt.Socket{}.SetSupported(everything)
		wantError(t, "SetSupported of the zero Socket", err, "SO_KEEPALIVE", syscall.EINVAL)
	}
	if !tcpopt.KeepAliveRow.Settable() {
		nothing()
		return
	}
	client, _ := connect(t, "tcp4", false)
	s := fromConn(t, client)
	l, err := tcpopt.FromListener(listen(t, "tcp4", false))
	if err != nil {
		t.Fatal(err)
	}
	before := config(t, s)
	tcpopt.WithRows(false, nothing)
	tcpopt.WithRows(true, func() {
		wantSupported(t, s, tcpopt.Config{KeepAlive: tcpopt.On})
		wantSupported(t, l, tcpopt.Config{})
		read := config(t, s)
		if want := (tcpopt.Config{KeepAlive: tcpopt.On, Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 8}); read != want {
			t.Errorf("Config() = %+v, want %+v", read, want)
		}
		if got, err := s.SetSupported(read); got != (tcpopt.Config{KeepAlive: tcpopt.On}) || err != nil {
			t.Errorf("set again: %+v, %v, want the switch", got, err)
		}
		for _, o := range entries() {
			if o.field == nil || o.row == tcpopt.KeepAliveRow {
				continue
			}
			var c tcpopt.Config
			reflect.ValueOf(o.field(&c)).Elem().Set(reflect.ValueOf(o.field(&everything)).Elem())
			wantError(t, fmt.Sprintf("SetConfig(%+v)", c), s.SetConfig(c), o.row.Label(), errors.ErrUnsupported)
		}
		if err := s.SetConfig(read); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("SetConfig = %v, want errors.ErrUnsupported", err)
		}
	})
	want := before
	want.KeepAlive = tcpopt.On
	if after := config(t, s); after != want {
		t.Errorf("after all: %+v, want %+v", after, want)
	}
}

// TestSetSupportedPart has a kernel that refuses what is no lack, after
// something was set.
func TestSetSupportedPart(t *testing.T) {
	if !tcpopt.UserTimeoutRow.Settable() {
		t.Skip("no user timeout on this OS")
	}
	client, _ := connect(t, "tcp4", false)
	s := fromConn(t, client)
	before := config(t, s)
	got, err := tcpopt.SetSupportedBadIdle(s, everything)
	wantError(t, "SetSupported", err, tcpopt.KeepIdleRow.Label(), syscall.EINVAL)
	wantSystemCall(t, "SetSupported", err)
	if want := (tcpopt.Config{UserTimeout: everything.UserTimeout}); got != want {
		t.Errorf("SetSupported = %+v, want %+v", got, want)
	}
	before.UserTimeout = everything.UserTimeout
	if after := config(t, s); after != before {
		t.Errorf("after the refusal: %+v, want %+v", after, before)
	}
}
