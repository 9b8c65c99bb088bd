package interop

import (
	"testing"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// The tests wait for timers most of the time.
func TestMain(m *testing.M) { labtest.Main(m, 16) }
