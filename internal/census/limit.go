package census

import "time"

// A Limit is when a system gives up unacknowledged data if there is no user timeout.
type Limit struct {
	Retries int           // net.ipv4.tcp_retries2
	Least   time.Duration // after the first retransmission; the next one due after it ends the connection
}

// newLimit computes the time that so many retransmissions take, and the wait after the
// last, if the interval doubles from 200 ms up to most. See tcp(7) and
// tcp_model_timeout of net/ipv4/tcp_timer.c of Linux 6.18. The measured round-trip time
// and net.ipv4.tcp_rto_min_us change when retransmissions go out, but not the limit. A
// socket's TCP_RTO_MAX_MS, from Linux 6.15 on, does change it, but is not read.
func newLimit(retries int, most time.Duration) Limit {
	l := Limit{Retries: retries}
	for i, wait := 0, 200*time.Millisecond; i <= retries; i++ {
		if wait > most {
			l.Least += time.Duration(retries-i+1) * most
			break
		}
		l.Least += wait
		wait *= 2
	}
	return l
}
