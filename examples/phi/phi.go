package main

import (
	"math"
	"time"
)

// A Detector is the φ accrual failure detector (Hayashibara et al., 2004) as
// arithmetic: it has no clock, no lock and no goroutine. It takes the intervals between
// heartbeats as normally distributed. The zero Detector is ready to use.
type Detector struct {
	Window       int           // how many of the latest intervals count; zero means 200
	MinDeviation time.Duration // for a peer that is too regular; zero means 100 ms

	last      time.Time
	intervals []float64 // in seconds, a ring once it is full
	next      int
}

// Observe records a heartbeat. One from before the last counts as simultaneous with it.
func (d *Detector) Observe(at time.Time) {
	if d.last.IsZero() {
		d.last = at
		return
	}
	interval := max(0, at.Sub(d.last))
	d.last = d.last.Add(interval)
	window := d.Window
	if window <= 0 {
		window = 200
	}
	if len(d.intervals) < window {
		d.intervals = append(d.intervals, interval.Seconds())
		return
	}
	d.intervals[d.next] = interval.Seconds()
	d.next = (d.next + 1) % window
}

// Phi returns how unlikely it is that the next heartbeat is still to come: 1 means one
// in ten, 2 one in a hundred, and so on. It is zero before the second heartbeat, and
// grows with the silence. It is never negative or infinite.
func (d *Detector) Phi(at time.Time) float64 {
	if len(d.intervals) == 0 {
		return 0
	}
	mean, deviation := d.distribution()
	return tail((at.Sub(d.last).Seconds() - mean) / deviation)
}

func (d *Detector) distribution() (mean, deviation float64) {
	n := float64(len(d.intervals))
	for _, x := range d.intervals {
		mean += x / n
	}
	variance := 0.0
	for _, x := range d.intervals {
		variance += (x - mean) * (x - mean) / n
	}
	least := d.MinDeviation
	if least <= 0 {
		least = 100 * time.Millisecond
	}
	return mean, max(math.Sqrt(variance), least.Seconds())
}

// tail is -log10 of the probability that a standard normal variable is above y. In
// floating point, one minus the distribution function is zero from y = 8.3 on, and Erfc
// from 38 on.
func tail(y float64) float64 {
	x := y / math.Sqrt2
	switch {
	case x < 0:
		return -math.Log1p(-math.Erfc(-x)/2) / math.Ln10
	case x < 20:
		return -math.Log10(math.Erfc(x) / 2)
	}
	// Erfc(x) = exp(-x²)/(x√π) · (1 - 1/2x² + 1·3/(2x²)² - 1·3·5/(2x²)³ + ...)
	u := 1 / (2 * x * x)
	series := -u * (1 - 3*u*(1-5*u*(1-7*u)))
	return (x*x + math.Log(2*x*math.Sqrt(math.Pi)) - math.Log1p(series)) / math.Ln10
}
