package census

import (
	"time"

	"github.com/tcpopt/tcpopt"
)

// Detection returns how long s takes to notice a dead peer, idle and busy: the
// DetectionTime of its Config. A connecting socket has no keepalive and no data yet;
// for it both are when connect ends.
func (s *Socket) Detection() (idle, busy time.Duration) {
	if s.Connect > 0 {
		return s.Connect, s.Connect
	}
	return s.Config.DetectionTime()
}

// connectEnd returns how long after its start a connect ends if the peer does not
// answer. It ends when a SYN's timer expires and the SYN has either been repeated
// retries (TCP_SYNCNT) + linear (the sysctl tcp_syn_linear_timeouts) times, or for as
// long as retries repetitions would take if the interval doubled from the start. In
// fact it doubles only after linear repetitions. A user timeout replaces that time, and
// shortens the last timer, but not the first. See tcp_write_timeout and
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
