package interop

import (
	"testing"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// The tests mostly wait for timers.
func TestMain(m *testing.M) { labtest.Main(m, 16) }
