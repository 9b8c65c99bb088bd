package census

import (
	"time"

	"github.com/tcpopt/tcpopt"
)

// Detection is when s would notice a dead peer, idle and busy, as DetectionTime has
// it of its Config. What is not connected yet has no keepalive and no data: there
// both are when connect ends.
func (s *Socket) Detection() (idle, busy time.Duration) {
	if s.Connect > 0 {
		return s.Connect, s.Connect
	}
	return s.Config.DetectionTime()
}

// connectEnd is how long after its start a connect to a peer that does not answer
// ends. That is when a SYN's timer runs out and as many were repeated as may be, or
// so long has passed as repeating retries of them, which is TCP_SYNCNT, would take if
// the time between two doubled from the start; it doubles only after linear, the
// sysctl tcp_syn_linear_timeouts, of them. A user timeout counts in place of that time
// and shortens the last timer, but not the first. See tcp_write_timeout and
// tcp_clamp_rto_to_user_timeout of net/ipv4/tcp_timer.c of Linux 6.18.
func connectEnd(retries, linear int, timeout time.Duration) time.Duration {
	const first, most = time.Second, 2 * time.Minute // TCP_TIMEOUT_INIT and TCP_RTO_MAX
	limit := time.Duration(0)
	for i, wait := 0, first; i <= retries; i++ {
		limit += wait
		wait = min(2*wait, most)
	}
	limited := timeout > 0 && timeout != tcpopt.Unbounded
	if limited {
		limit = max(timeout, first)
	}
	end := time.Duration(0)
	for repeated, wait := 0, first; ; {
		end += wait
		if limited && end >= limit {
			return limit
		}
		if repeated >= retries+linear || repeated > 0 && end >= limit {
			return end
		}
		if repeated++; repeated > linear {
			wait = min(2*wait, most)
		}
	}
}
