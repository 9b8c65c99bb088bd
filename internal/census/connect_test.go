package census

import (
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
)

func TestConnectEnd(t *testing.T) {
	for _, tt := range []struct {
		name            string
		retries, linear int
		timeout, want   time.Duration
	}{
		{"the default of Linux 6.5 on", 6, 4, 0, 131 * time.Second},
		{"the default before", 6, 0, 0, 127 * time.Second},
		{"none set", 6, 4, tcpopt.Unbounded, 131 * time.Second},
		{"one", 1, 4, 0, 3 * time.Second},
		{"one before", 1, 0, 0, 3 * time.Second},
		{"two", 2, 4, 0, 7 * time.Second},
		{"three", 3, 4, 0, 19 * time.Second}, // Seen on 6.18.
		{"all linear", 1, 200, 0, 3 * time.Second},
		{"most", 7, 0, 0, 247 * time.Second}, // The last wait is limited.
		{"user timeout", 6, 4, 10 * time.Second, 10 * time.Second},
		{"user timeout below the first retransmission", 6, 4, time.Millisecond, time.Second},
		{"user timeout above", 1, 4, 8 * time.Second, 7 * time.Second},
	} {
		if got := connectEnd(tt.retries, tt.linear, tt.timeout); got != tt.want {
			t.Errorf("%s: connectEnd = %v, want %v", tt.name, got, tt.want)
		}
	}
	s := Socket{Config: tcpopt.Config{UserTimeout: tcpopt.Unbounded}}
	if idle, busy := s.Detection(); idle != tcpopt.Unbounded || busy != tcpopt.Unbounded {
		t.Errorf("Detection = %v, %v, want unbounded", idle, busy)
	}
	s.Connect = 7 * time.Second
	if idle, busy := s.Detection(); idle != s.Connect || busy != s.Connect {
		t.Errorf("Detection = %v, %v, want %v", idle, busy, s.Connect)
	}
}
