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
		force  bool
		want   obstacle
	}{
		{name: "idle", d: d, want: none},
		{name: "silent", now: census.Socket{Silence: d}, d: d, want: silent},
		{name: "not connected", now: census.Socket{Counted: true, Pending: 1}, d: d, want: silent},
		{name: "almost silent", now: census.Socket{Silence: d - 1}, d: d, want: none},
		{name: "shut", now: census.Socket{Shut: true}, d: d, want: shut},
		{name: "nothing acknowledged", first: census.Socket{Pending: 100, Acked: 7}, now: census.Socket{Pending: 100, Acked: 7}, d: d, want: unsent},
		{name: "a part acknowledged", first: census.Socket{Pending: 100, Acked: 7}, now: census.Socket{Pending: 100, Acked: 106}, d: d, want: unsent},
		{name: "all acknowledged, more pending", first: census.Socket{Pending: 100, Acked: 7}, now: census.Socket{Pending: 100, Acked: 107}, d: d, want: none},
		{name: "drained", first: census.Socket{Pending: 100, Acked: 7}, now: census.Socket{Acked: 107}, d: d, want: none},
		{name: "a longer one than before", now: census.Socket{Shut: true, Pending: 9, Silence: time.Hour}, old: d - 1, d: d, want: none},
		{name: "a shorter one", now: census.Socket{Shut: true}, old: d + 1, d: d, want: shut},
		{name: "the system's", now: census.Socket{Shut: true, Silence: time.Hour}, old: d, d: 0, want: none},
		{name: "force", now: census.Socket{Shut: true, Pending: 9, Silence: time.Hour}, d: d, force: true, want: none},
		{name: "listener", now: census.Socket{State: "listen", Silence: time.Hour}, d: d, want: none},
	} {
		tt.now.HasUserTimeout = true
		tt.now.Config = tcpopt.Config{UserTimeout: tt.old}
		j := job{first: tt.first, force: tt.force}
		if got := j.obstacle(&tt.now, tt.d); got != tt.want {
			t.Errorf("%s: obstacle = %d, want %d", tt.name, got, tt.want)
		}
	}
	j := job{force: true}
	if got := j.obstacle(&census.Socket{}, d); got != lacks {
		t.Errorf("multipath TCP: obstacle = %d, want %d", got, lacks)
	}
}
