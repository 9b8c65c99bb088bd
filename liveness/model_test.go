//go:build go1.25

package liveness_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

// A schedule is what happens to a connection.
type schedule struct {
	idle, timeout time.Duration
	progress      bool          // the Monitor sees the counters
	dates         bool          // and when something arrived
	delay         time.Duration // until an answer is there
	rate          int           // bytes per tick that the path carries
	room          int           // bytes that may be pending until writes block
	bulk          int           // bytes written at once, now and then
	chat          time.Duration // about how often the peer says something of its own
	trickle       bool          // a byte is written at each tick
	unread        time.Duration // when the reader blocks
	end           time.Duration
	how           string // what happens at end: "cut" or "frozen"
}

const tick = 20 * ms

func randomSchedule(r *rand.Rand) schedule {
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(r.Int64N(int64(most-least)))
	}
	c := schedule{
		idle:     between(s, 10*s),
		timeout:  between(s, 10*s),
		progress: r.IntN(3) > 0,
		dates:    r.IntN(2) > 0,
		delay:    between(0, 400*ms),
		rate:     1 + r.IntN(200),
		room:     1 + r.IntN(20000),
		trickle:  r.IntN(4) == 0,
		unread:   1 << 62,
		end:      between(0, 90*s),
		how:      []string{"cut", "frozen"}[r.IntN(2)],
	}
	if r.IntN(2) == 0 {
		c.chat = between(100*ms, 20*s)
	}
	if c.progress { // Without it a backlog or a late reader is as good as death.
		if r.IntN(2) == 0 {
			c.bulk = r.IntN(100000)
		}
		if r.IntN(3) == 0 {
			c.unread = between(0, 60*s)
		}
	}
	return c
}

// A model is the connection: one queue to the peer, whose kernel acknowledges
// what arrives, and whose process answers probes.
type model struct {
	schedule
	tr      *trial
	random  *rand.Rand
	writing chan struct{} // one at a time

	mu      sync.Mutex
	p       tcpopt.Progress
	probes  []uint64      // where they end
	arrived time.Duration // when anything did
	life    time.Duration // when a byte did
	acked   time.Duration // when anything was acknowledged
	done    bool
}

func (c *model) down() bool { return c.tr.now() >= c.end }

// put writes n bytes, while the connection lets it.
func (c *model) put(n int) {
	c.writing <- struct{}{}
	for {
		c.mu.Lock()
		some := min(n, max(0, c.room-int(c.p.Pending)))
		c.p.Pending += uint64(some)
		n -= some
		end := n == 0 || c.done
		c.mu.Unlock()
		if end {
			break
		}
		time.Sleep(tick)
	}
	<-c.writing
}

func (c *model) receive(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down() || c.done {
		return
	}
	c.p.Received += uint64(n)
	c.life, c.arrived = c.tr.now(), c.tr.now()
	if c.life < c.unread {
		c.tr.Touch()
	}
}

// run lets the path carry bytes.
func (c *model) run() {
	for ; !c.ended(); time.Sleep(tick) {
		c.mu.Lock()
		c.carry()
		c.mu.Unlock()
	}
}

func (c *model) carry() {
	if c.trickle && c.p.Pending < uint64(c.room) && len(c.writing) == 0 {
		c.p.Pending++
	}
	if c.down() && c.how == "cut" {
		return
	}
	if n := min(uint64(c.rate), c.p.Pending); n > 0 {
		c.p.Pending -= n
		c.p.Acked += n
		c.acked, c.arrived = c.tr.now(), c.tr.now()
	}
	for len(c.probes) > 0 && c.p.Acked >= c.probes[0] {
		c.probes = c.probes[1:]
		time.AfterFunc(c.delay, func() { c.receive(4) })
	}
}

func (c *model) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

func (c *model) below(n int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.Int64N(n)
}

func (c *model) chatter() {
	for c.chat > 0 && !c.ended() {
		time.Sleep(time.Duration(c.below(int64(2 * c.chat))))
		c.receive(1 + int(c.below(1000)))
	}
}

func (c *model) bulks() {
	for c.bulk > 0 && !c.ended() {
		time.Sleep(time.Duration(c.below(int64(20 * s))))
		c.put(c.bulk)
	}
}

// check runs a schedule and compares the verdict with what the peer did.
func check(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 5))
	c := &model{schedule: randomSchedule(r), random: r, writing: make(chan struct{}, 1)}
	probing := 0
	c.tr = newHeartbeat(c.idle, c.timeout, func() error {
		c.mu.Lock()
		if probing++; probing > 1 {
			t.Errorf("I2: %d probes at once", probing)
		}
		if silent := c.tr.now() - c.life; silent < c.idle*7/8 && c.life < c.unread {
			t.Errorf("I1: probe after %v of silence", silent)
		}
		c.mu.Unlock()
		c.put(4)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.probes = append(c.probes, c.p.Acked+c.p.Pending)
		probing--
		return nil
	})
	if c.progress {
		c.tr.Progress = func() (tcpopt.Progress, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			p := c.p
			p.Silence = -1
			if c.dates {
				p.Silence = c.tr.now() - c.arrived
			}
			return p, nil
		}
	}
	c.tr.Start()
	go c.run()
	go c.chatter()
	go c.bulks()
	c.tr.until(c.end + 200*s)
	for len(c.tr.dead) == 0 && c.tr.now() < 3600*s { // A trickle may be acknowledged for long.
		c.tr.until(c.tr.now() + 100*s)
	}
	c.mu.Lock()
	c.done = true
	c.mu.Unlock()
	time.Sleep(100 * s)
	synctest.Wait()

	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := asType[*liveness.Error](c.tr.err)
	if len(c.tr.dead) != 1 || !ok {
		t.Errorf("I9: dead at %v of %v, want once, after %v", c.tr.dead, c.tr.err, c.end)
		return
	}
	at, look := c.tr.dead[0], min(c.idle, c.timeout)
	if at < c.end {
		t.Errorf("I5, I7: dead at %v of %v, alive until %v", at, e, c.end)
		return
	}
	least := c.life + c.idle*7/8 + c.timeout
	if c.unread < c.end {
		least = c.end // Bytes from before the last look may count as read.
	}
	// The last probe was due by then.
	due := c.life + c.idle
	if c.unread < c.end { // Unread bytes count from what came last, but not after the look.
		late := c.idle
		if c.dates {
			late = min(late, c.arrived-c.life)
		}
		due += late
	}
	most := due + c.timeout
	if c.progress && (c.bulk > 0 || c.trickle) {
		// Its Timeout starts at the look after it was delivered, or else at the look
		// after the last acknowledgment.
		progress := c.acked
		if len(c.probes) == 0 {
			progress = min(progress, c.delivered(due))
		}
		most = max(most, progress+look+c.timeout)
	}
	if at < least || at > most+tick {
		t.Errorf("I3: dead at %v of %v, want %v to %v", at, e, least, most)
	}
	if c.life < c.unread && e.Silent != at-c.life {
		t.Errorf("Silent = %v, want %v", e.Silent, at-c.life)
	}
}

// delivered returns by when a probe due then was delivered: everything that may have
// been before it takes this long.
func (c *model) delivered(due time.Duration) time.Duration {
	return due + time.Duration((c.room+c.bulk+4)/c.rate+2)*tick
}

// A Monitor promises this, by the names that tests use:
//
//	I1   no probe while no silence of the peer is as long as 7/8 Idle
//	I2   at most one Probe at a time
//	I3   the verdict comes Timeout after the probe, the probe 7/8 Idle to Idle
//	     after the last sign of life, if this process runs and nothing is queued;
//	     otherwise at most Timeout and a look after acknowledgments stop
//	I4   a Probe that blocks delays nothing
//	I5   no verdict while the peer acknowledges what is before the probe
//	I6   a probe that was delivered has one Timeout, whatever else is acknowledged
//	I7   what is in the receive buffer is a sign of life, read or not
//	I8   a timer that is late by more than half of Timeout is our own fault and
//	     delays the verdict, once in a silence
//	I9   Dead is called at most once, and never after Stop returned true
//	I10  Touch does not wait and does not allocate
//	I11  counters that fail or say nothing never end anything earlier
//	I12  an answer restarts Idle when it comes, however long Timeout is: while
//	     a probe is out, the next look is the lesser of Idle and Timeout away
//
// TestModel checks I1, I2, I3, I5, I7 and I9 on random schedules. A failure names its
// seed.
func TestModel(t *testing.T) {
	n := uint64(100)
	if testing.Short() {
		n = 50
	}
	for seed := range n {
		synctest.Test(t, func(t *testing.T) {
			check(t, seed)
			if t.Failed() {
				r := rand.New(rand.NewPCG(seed, 5))
				t.Fatalf("seed %d: %s", seed, fmt.Sprintf("%+v", randomSchedule(r)))
			}
		})
	}
}
