package tcpopt_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
)

// full is a Config with every field that the OS has.
var full = tcpopt.Config{Enable: true, Idle: 33 * time.Second, Interval: 11 * time.Second, Count: 4, UserTimeout: 44 * time.Second}.Supported()

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
				want.Enable = c.Enable
				for _, o := range allTimes {
					if d := *o.field(&c); d != 0 && o.row.Readable() {
						*o.field(&want) = d
					}
				}
				if c.Count != 0 {
					want.Count = c.Count
				}
				if err := tt.socket.SetConfig(c); err != nil {
					t.Fatal(err)
				}
				if got := config(t, tt.socket); got != want {
					t.Errorf("after SetConfig(%+v): %+v, want %+v", c, got, want)
				}
			}
			apply(set)
			apply(tcpopt.Config{})
			if set.UserTimeout != 0 {
				apply(tcpopt.Config{UserTimeout: set.UserTimeout + time.Second})
			}
			set.Idle, set.Interval = 2*set.Idle, 2*set.Interval
			set.Enable = false
			apply(set)
			apply(tcpopt.Config{Enable: true})
		})
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
			base.Enable = !before.Enable
			if tt.multipath {
				base.UserTimeout = 0
			}
			for _, o := range allTimes {
				c := base
				if tt.lacks(o) {
					if *o.field(&c) != 0 {
						continue // Set together with another.
					}
					*o.field(&c) = time.Minute
					refused(c, o.row.Label(), errors.ErrUnsupported)
					continue
				}
				for _, d := range badTimes(o.row) {
					if d == 0 {
						continue
					}
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
		wantError(t, "Config{}.Validate()", tcpopt.Config{}.Validate(), "SO_KEEPALIVE", errors.ErrUnsupported)
		if got := full.Supported(); got != (tcpopt.Config{}) {
			t.Errorf("Supported() = %+v, want none", got)
		}
		return
	}
	for _, c := range []tcpopt.Config{{}, {Enable: true}, full} {
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

// TestPair holds where idle and interval can only be set together.
func TestPair(t *testing.T) {
	needSockets(t)
	if !tcpopt.KeepPairRow.Settable() || tcpopt.KeepIdleRow.Settable() && tcpopt.KeepIntervalRow.Settable() {
		t.Skip("idle and interval are options of their own")
	}
	client, _ := connect(t, "tcp4", false)
	s := fromConn(t, client)
	for _, on := range []bool{false, true} {
		if err := s.SetConfig(tcpopt.Config{Enable: on, Idle: 33 * time.Second, Interval: 11 * time.Second}); err != nil {
			t.Error(err)
		}
		if got, err := s.KeepAlive(); got != on || err != nil {
			t.Errorf("KeepAlive() = %v, %v, want %v", got, err, on)
		}
	}
	if os.Getenv("TCPOPT_HOLD") != "" { // Somebody wants to look at it from below.
		fmt.Println("holding port", client.LocalAddr().(*net.TCPAddr).Port)
		io.Copy(io.Discard, os.Stdin)
	}
	if err := s.SetConfig(tcpopt.Config{}); err != nil {
		t.Error(err)
	}
	err := s.SetConfig(tcpopt.Config{Enable: true, Idle: time.Minute, Interval: math.MaxInt64})
	wantError(t, "SetConfig", err, tcpopt.KeepPairRow.Label(), syscall.EINVAL)
	if on, err := s.KeepAlive(); on || err != nil {
		t.Errorf("KeepAlive() = %v, %v after a refusal, want false", on, err)
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
