package liveness_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// Tests on the fake clock need testing/synctest of Go 1.25, and are left out before.

func TestMain(m *testing.M) { labtest.Main(m, 64) }

const (
	ms = time.Millisecond
	s  = time.Second
)

// asType is errors.AsType of Go 1.26.
func asType[E error](err error) (e E, ok bool) {
	ok = errors.As(err, &e)
	return e, ok
}

// wantBetween fails the test unless d is in [least, most].
func wantBetween(t *testing.T, what string, d, least, most time.Duration) {
	t.Helper()
	if d < least || d > most {
		t.Errorf("%s = %v, want %v to %v", what, d, least, most)
	}
}
