package main

import (
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

func TestObstacle(t *testing.T) {
	const d = 10 * time.Second
	for _, tt := range []struct {
		name   string
		first  census.Socket
		now    census.Socket
		old, d time.Duration
		on     bool
		force  guards
		want   obstacle
	}{
		{name: "idle", d: d, want: none},
		{name: "silent, without keepalive", now: census.Socket{Silence: d}, d: d, want: none},
		{name: "silent", now: census.Socket{Silence: d}, d: d, on: true, want: silent},
		{name: "not connected", now: census.Socket{Counted: true, Pending: 1}, d: d, want: silent},
		{name: "silent for a moment", now: census.Socket{Silence: time.Second}, d: d, on: true, want: none},
		{name: "shut", now: census.Socket{Shut: true}, d: d, want: shut},
		{name: "nothing acknowledged", first: census.Socket{Pending: 100, Acked: 7}, now: census.Socket{Pending: 100, Acked: 7}, d: d, want: unacked},
		{name: "a part acknowledged", first: census.Socket{Pending: 100, Acked: 7}, now: census.Socket{Pending: 100, Acked: 106}, d: d, want: unacked},
		{name: "all acknowledged, more pending", first: census.Socket{Pending: 100, Acked: 7}, now: census.Socket{Pending: 100, Acked: 107}, d: d, want: none},
		{name: "drained", first: census.Socket{Pending: 100, Acked: 7}, now: census.Socket{Acked: 107}, d: d, want: none},
		{name: "a longer one than before", now: census.Socket{Shut: true, Pending: 9, Silence: time.Hour}, old: d - 1, d: d, want: none},
		{name: "a shorter one", now: census.Socket{Shut: true}, old: d + 1, d: d, want: shut},
		{name: "the system's", now: census.Socket{Shut: true, Silence: time.Hour}, old: d, d: 0, want: none},
		{name: "force window", now: census.Socket{Shut: true}, d: d, force: guards{window: true}, want: none},
		{name: "not window alone", now: census.Socket{Shut: true, Pending: 9}, d: d, force: guards{window: true}, want: unacked},
		{name: "force unacked", now: census.Socket{Pending: 9}, d: d, force: guards{unacked: true}, want: none},
		{name: "not unacked alone", now: census.Socket{Silence: d}, d: d, on: true, force: guards{unacked: true, window: true}, want: silent},
		{name: "force silent", now: census.Socket{Silence: d}, d: d, on: true, force: guards{silent: true}, want: none},
		{name: "not silent alone", now: census.Socket{Shut: true}, d: d, force: guards{silent: true}, want: shut},
		{name: "listener", now: census.Socket{State: "listen", Silence: time.Hour}, d: d, on: true, want: none},
	} {
		tt.now.HasUserTimeout = true
		tt.now.Config = tcpopt.Config{UserTimeout: tt.old, Idle: time.Second, Interval: time.Second, Count: 9}
		c := change{timeout: &tt.d}
		if tt.on {
			tt.now.Config.KeepAlive = tcpopt.On
			tt.now.Counted, tt.now.Heard = true, true
		}
		j := job{first: tt.first, force: tt.force, change: &c, target: c.on(tt.now.Config)}
		if got := j.obstacle(&tt.now); got != tt.want {
			t.Errorf("%s: obstacle = %d, want %d", tt.name, got, tt.want)
		}
	}
	timeout := d
	j := job{change: &change{timeout: &timeout}, force: guards{silent: true, unacked: true, window: true}}
	if got := j.obstacle(&census.Socket{}); got != lacks {
		t.Errorf("multipath TCP: obstacle = %d, want %d", got, lacks)
	}
}
