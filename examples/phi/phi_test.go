package main

import (
	"encoding/binary"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

var start = time.Unix(1e9, 0)

// TestPhi compares with values that testdata/phi.py computed with 500 digits.
func TestPhi(t *testing.T) {
	b, err := os.ReadFile("testdata/phi.txt")
	if err != nil {
		t.Fatal(err)
	}
	var d Detector
	compared, last := 0, 0.0
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if f[0] == "detector" {
			d, last = Detector{MinDeviation: time.Duration(integer(t, f[1]))}, 0
			for _, at := range f[2:] {
				d.Observe(start.Add(time.Duration(integer(t, at))))
			}
			continue
		}
		want, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		got := d.Phi(start.Add(time.Duration(integer(t, f[0]))))
		if math.Abs(got-want) > 1e-9*want || got < last {
			t.Errorf("after %d ns φ = %v, want %v, and no less than before", integer(t, f[0]), got, want)
		}
		compared, last = compared+1, got
	}
	if compared < 100 {
		t.Errorf("compared %d values", compared)
	}
}

func integer(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNaive shows why tail does not subtract from one.
func TestNaive(t *testing.T) {
	naive := func(y float64) float64 { return -math.Log10(1 - (1+math.Erf(y/math.Sqrt2))/2) }
	if got, want := naive(8), tail(8); math.Abs(got-want) < 1e-3*want || !math.IsInf(naive(9), 1) {
		t.Errorf("one minus the distribution function: φ = %v, %v, want %v and infinity", got, naive(9), want)
	}
}

func TestFewHeartbeats(t *testing.T) {
	var d Detector
	for range 2 {
		if phi := d.Phi(start.Add(time.Hour)); phi != 0 {
			t.Errorf("φ = %v before the second heartbeat", phi)
		}
		d.Observe(start)
	}
	if phi := d.Phi(start.Add(time.Hour)); phi == 0 {
		t.Error("φ = 0 after the second heartbeat and an hour")
	}
}

func TestWindow(t *testing.T) {
	slow, fast := Detector{Window: 10}, Detector{Window: 10}
	at := start
	for i := range 21 {
		if i <= 10 {
			slow.Observe(at)
			at = at.Add(time.Minute)
		} else {
			at = at.Add(time.Second)
		}
		if i >= 10 {
			fast.Observe(at)
			slow.Observe(at)
		}
	}
	if got, want := slow.Phi(at.Add(2*time.Second)), fast.Phi(at.Add(2*time.Second)); got != want || want < 8 {
		t.Errorf("φ = %v, want %v: the minutes have left the window", got, want)
	}
}

func TestHeartbeatBeforeTheLast(t *testing.T) {
	var before, with Detector
	for _, at := range []time.Duration{0, time.Minute, 2 * time.Minute} {
		before.Observe(start.Add(at))
		with.Observe(start.Add(at))
	}
	before.Observe(start)
	with.Observe(start.Add(2 * time.Minute))
	at := start.Add(3 * time.Minute)
	if got, want := before.Phi(at), with.Phi(at); got != want || want < 0.1 {
		t.Errorf("φ = %v, want %v", got, want)
	}
}

// FuzzPhi checks that φ grows with time, and is never negative, infinite or not a
// number.
func FuzzPhi(f *testing.F) {
	f.Add(0, int64(0), int64(0), int64(1), []byte{})
	f.Add(3, int64(1), int64(math.MaxInt64), int64(math.MaxInt64), make([]byte, 64))
	f.Add(-1, int64(-1), int64(math.MinInt64), int64(1), []byte("\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00\x00\x00\x00\x00\x00\x80"))
	f.Fuzz(func(t *testing.T, window int, least, at, later int64, beats []byte) {
		d := Detector{Window: window, MinDeviation: time.Duration(least)}
		for ; len(beats) >= 8; beats = beats[8:] {
			d.Observe(start.Add(time.Duration(binary.LittleEndian.Uint64(beats))))
		}
		if at > later {
			at, later = later, at
		}
		a, b := d.Phi(start.Add(time.Duration(at))), d.Phi(start.Add(time.Duration(later)))
		if !(a >= 0 && b >= a*(1-1e-12)) || math.IsInf(b, 0) {
			t.Errorf("φ = %v at %d, %v at %d", a, at, b, later)
		}
	})
}
