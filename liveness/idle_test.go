//go:build go1.25

package liveness_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/tcpopt/tcpopt/liveness"
)

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrial(10 * s)
		tr.Start()
		tr.until(3 * s)
		tr.Touch()
		tr.until(9 * s)
		tr.Touch()
		tr.until(60 * s)
		tr.want(t, 19*s, liveness.Idle, 10*s)
	})
}

// TestIdleAgain has an idle timeout that fires again and again, and leaves the decision
// to the application.
func TestIdleAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrial(10 * s)
		record := tr.Dead
		tr.Dead = func(err error) {
			record(err)
			tr.Start()
		}
		tr.Start()
		tr.until(35 * s)
		if !tr.Stop() {
			t.Error("Stop() of a running Monitor = false")
		}
		tr.until(100 * s)
		if fmt.Sprint(tr.dead) != "[10s 20s 30s]" {
			t.Errorf("fired at %v, want at 10s, 20s, 30s", tr.dead)
		}
	})
}
