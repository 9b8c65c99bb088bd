package census

import "time"

// A Limit is when a system gives up data that is not acknowledged, where no user
// timeout says when.
type Limit struct {
	Retries int           // net.ipv4.tcp_retries2
	Least   time.Duration // after the first retransmission; the retransmission that is due then ends it
}

// newLimit is by the two settings, see tcp(7) and tcp_model_timeout of
// net/ipv4/tcp_timer.c of Linux 6.18: as long as so many retransmissions take and the
// wait after the last, with the time between two doubled from 200 ms up to most. What
// a connection has measured of its path, and net.ipv4.tcp_rto_min_us, changes when
// they go out, and not this; what a socket has set as TCP_RTO_MAX_MS, from Linux 6.15
// on, does and is not read.
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
