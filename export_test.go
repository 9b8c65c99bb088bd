package tcpopt

import (
	"fmt"
	"math"
	"syscall"
	"time"
)

// A Row is what tests may know of an option of this system.
type Row struct{ o *option }

var (
	KeepAliveRow    = Row{&keepAlive}
	KeepIdleRow     = Row{&keepIdle}
	KeepIntervalRow = Row{&keepInterval}
	KeepCountRow    = Row{&keepCount}
	UserTimeoutRow  = Row{&userTimeout}
	KeepPairRow     = Row{&keepPair}
	TCPInfoRow      = Row{&tcpInfo}

	// AbsentRow is an option of a system that has a system-wide value alone.
	AbsentRow = Row{&option{label: "TCP_ABSENT", unit: time.Second}}
	// FixedRow is one whose value is built in.
	FixedRow = Row{&option{label: "TCP_FIXED", unit: time.Second, fixed: 8}}
)

func (r Row) Label() string            { return r.o.label }
func (r Row) Settable() bool           { return r.o.present() }
func (r Row) Readable() bool           { return r.o.present() || r.o.system != "" || r.o.fixed != 0 }
func (r Row) Inherits() bool           { return r.o.inherits }
func (r Row) EndsBusy() bool           { return r.o.endsBusy }
func (r Row) RearmsWithInterval() bool { return r.o.rearmsWithInterval }
func (r Row) Unit() time.Duration      { return r.o.unit }
func (r Row) Least() int64             { return r.o.least }
func (r Row) Most() int64              { return r.o.most }

func (r Row) Kernel(d time.Duration) (int64, error) { return r.o.kernel(d) }
func (r Row) Duration(n int64) time.Duration        { return r.o.duration(n) }
func (r Row) Get(s Socket) (time.Duration, error)   { return s.getDuration(r.o) }
func (r Row) Set(s Socket, d time.Duration) error   { return s.setDuration(r.o, d) }

// Text is the row in the table of the package documentation.
func (r Row) Text() string {
	switch {
	case r.o.name == 0 && r.Readable():
		return "read only"
	case r.o.name == 0:
		return "none"
	}
	unit := map[time.Duration]string{0: "", time.Millisecond: " ms", time.Second: " s", time.Second / 2: " s/2"}[r.o.unit]
	return fmt.Sprintf("%d to %d%s", r.o.least, r.o.most, unit)
}

var DeadPeer = deadPeer

// WriteOrder returns the options that SetConfig would write on a system where an
// idle time has no effect while keepalive is off, or has.
func WriteOrder(c Config, needsOn bool) (labels []string) {
	defer func(was bool) { keepIdle.needsOn = was }(keepIdle.needsOn)
	keepIdle.needsOn = needsOn
	v := visit{set: true}
	c.addTo(&v)
	for _, at := range v.steps[:v.len] {
		labels = append(labels, at.label)
	}
	return labels
}

// ValidateNever is c.Validate on a system whose zero user timeout is "never".
func ValidateNever(c Config) error {
	defer func(was int64) { userTimeout.least = was }(userTimeout.least)
	userTimeout.least = 1
	return c.Validate()
}

// ValidateSum is c.Validate on a system that adds idle and count × interval up in a
// number that ends at most.
func ValidateSum(c Config, most time.Duration) error {
	defer func(was time.Duration) { keepIdle.mostSum = was }(keepIdle.mostSum)
	keepIdle.mostSum = most
	return c.Validate()
}

// WithRows runs f with the rows of a system that has no options, or only the
// switch, as OpenBSD, where the other values can be read.
func WithRows(on bool, f func()) {
	rows := [...]*option{&keepAlive, &keepIdle, &keepInterval, &keepCount, &userTimeout, &keepPair}
	var was [len(rows)]option
	for i, o := range rows {
		was[i] = *o
		defer func() { *o = was[i] }()
	}
	for _, o := range rows {
		*o = option{label: o.label, unit: o.unit}
	}
	if on {
		keepAlive = was[0]
		keepAlive.inherits = false
		keepIdle.fixed, keepInterval.fixed, keepCount.fixed = 7200, 75, 8
	}
	f()
}

// WithPair runs f with the rows of an old Windows, which takes idle and interval
// together, and if idle is true idle alone as well.
func WithPair(idle bool, f func()) {
	was := keepIdle
	WithRows(true, func() {
		keepInterval.fixed, keepCount.fixed = 0, 10
		if keepIdle.fixed = 0; idle {
			keepIdle = was
		}
		keepPair = option{label: "SIO_KEEPALIVE_VALS", name: 1, unit: time.Millisecond, least: 1, most: math.MaxUint32}
		f()
	})
}

// WithinShort is Within on a system whose interval is at most a minute.
func WithinShort(d time.Duration) (Config, error) {
	defer func(was int64) { keepInterval.most = was }(keepInterval.most)
	keepInterval.most = int64(time.Minute / keepInterval.unit)
	return Within(d)
}

// SetSupportedBadIdle has a kernel that refuses the idle time, checked or not.
func SetSupportedBadIdle(s Socket, c Config) (Config, error) {
	defer func(was time.Duration) { keepIdle.unit = was }(keepIdle.unit)
	defer func(was int64) { keepIdle.most = was }(keepIdle.most)
	keepIdle.unit, keepIdle.most = 1, math.MaxInt32
	c.Idle = math.MaxInt32
	return s.SetSupported(c)
}

// DetectionTimeEndsBusy is c.DetectionTime on a system whose keepalive also ends
// a connection with data in flight.
func DetectionTimeEndsBusy(c Config) (idle, busy time.Duration) {
	defer func(was bool) { keepIdle.endsBusy = was }(keepIdle.endsBusy)
	keepIdle.endsBusy = true
	return c.DetectionTime()
}

// DetectionTimeElsewhere is c.DetectionTime where keepalive is as on the BSDs.
func DetectionTimeElsewhere(c Config) (idle, busy time.Duration) {
	defer elsewhere()()
	return c.DetectionTime()
}

// MaxSilenceElsewhere is c.MaxSilence there.
func MaxSilenceElsewhere(c Config) time.Duration {
	defer elsewhere()()
	return c.MaxSilence()
}

func elsewhere() (undo func()) {
	i, u := keepIdle, userTimeout
	keepIdle.endsBusy, keepIdle.rearmsWithInterval, userTimeout.outranksCount = true, false, false
	return func() { keepIdle, userTimeout = i, u }
}

// AsListener is s as FromListener returns it.
func AsListener(s Socket) Socket {
	s.conn, s.raw, s.kind = nil, mustRaw(s), listener
	return s
}

func mustRaw(s Socket) syscall.RawConn {
	if s.conn == nil {
		return s.raw
	}
	rc, err := s.conn.SyscallConn()
	if err != nil {
		panic(err)
	}
	return rc
}

// SetTwo writes two rows in one visit.
func SetTwo(s Socket, first, second Row) error {
	v := visit{set: true}
	v.addDuration(first.o, time.Minute)
	v.addDuration(second.o, time.Minute)
	return s.do(&v)
}

// Uninherited is idle as on a system whose listeners do not pass it on.
func Uninherited() Row {
	o := keepIdle
	o.label, o.inherits = "TCP_UNINHERITED", false
	return Row{&o}
}

// Misnumbered is interval with a number that the kernel refuses.
func Misnumbered() Row {
	o := keepInterval
	o.label, o.level, o.name, o.note = "TCP_MISNUMBERED", keepAlive.level, 0x7fff, ""
	return Row{&o}
}

// MaxFD is the greatest descriptor that FromFD takes.
const MaxFD = uintptr(maxFD)

// LeftOut is what a listener says of a connection that got less than c.
func LeftOut(c, got Config) error { return c.leftOut(got) }
