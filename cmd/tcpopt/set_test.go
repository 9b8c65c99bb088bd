package main

import (
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
)

func TestObstacle(t *testing.T) {
	const d = 10 * time.Second
	for _, tt := range []struct {
		name   string
		first  tcpSocket
		now    tcpSocket
		old, d time.Duration
		force  bool
		want   obstacle
	}{
		{name: "idle", d: d, want: none},
		{name: "silent", now: tcpSocket{silence: d}, d: d, want: silent},
		{name: "not connected", now: tcpSocket{silence: tcpopt.Unbounded, pending: 1}, d: d, want: silent},
		{name: "almost silent", now: tcpSocket{silence: d - 1}, d: d, want: none},
		{name: "shut", now: tcpSocket{shut: true}, d: d, want: shut},
		{name: "nothing acknowledged", first: tcpSocket{pending: 100, acked: 7}, now: tcpSocket{pending: 100, acked: 7}, d: d, want: unsent},
		{name: "a part acknowledged", first: tcpSocket{pending: 100, acked: 7}, now: tcpSocket{pending: 100, acked: 106}, d: d, want: unsent},
		{name: "all acknowledged, more pending", first: tcpSocket{pending: 100, acked: 7}, now: tcpSocket{pending: 100, acked: 107}, d: d, want: none},
		{name: "drained", first: tcpSocket{pending: 100, acked: 7}, now: tcpSocket{acked: 107}, d: d, want: none},
		{name: "a longer one than before", now: tcpSocket{shut: true, pending: 9, silence: time.Hour}, old: d - 1, d: d, want: none},
		{name: "a shorter one", now: tcpSocket{shut: true}, old: d + 1, d: d, want: shut},
		{name: "the system's", now: tcpSocket{shut: true, silence: time.Hour}, old: d, d: 0, want: none},
		{name: "force", now: tcpSocket{shut: true, pending: 9, silence: time.Hour}, d: d, force: true, want: none},
		{name: "listener", now: tcpSocket{state: "listen", silence: time.Hour}, d: d, want: none},
	} {
		tt.now.hasUserTimeout = true
		tt.now.config = tcpopt.Config{UserTimeout: tt.old}
		j := job{first: tt.first, force: tt.force}
		if got := j.obstacle(&tt.now, tt.d); got != tt.want {
			t.Errorf("%s: obstacle = %d, want %d", tt.name, got, tt.want)
		}
	}
	j := job{force: true}
	if got := j.obstacle(&tcpSocket{}, d); got != lacks {
		t.Errorf("multipath TCP: obstacle = %d, want %d", got, lacks)
	}
}
