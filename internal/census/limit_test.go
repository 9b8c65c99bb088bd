package census

import (
	"testing"
	"time"
)

func TestLimit(t *testing.T) {
	for _, tt := range []struct {
		retries    int
		most, want time.Duration
	}{
		{15, 2 * time.Minute, 924600 * time.Millisecond}, // As in tcp(7) and ip-sysctl.rst.
		{9, 2 * time.Minute, 204600 * time.Millisecond},
		{8, 2 * time.Minute, 102200 * time.Millisecond},
		{0, 2 * time.Minute, 200 * time.Millisecond},
		{5, time.Second, 4400 * time.Millisecond},
		{255, 2 * time.Minute, 204600*time.Millisecond + 246*2*time.Minute},
	} {
		if got := newLimit(tt.retries, tt.most); got != (Limit{tt.retries, tt.want}) {
			t.Errorf("newLimit(%d, %v) = %+v, want %v", tt.retries, tt.most, got, tt.want)
		}
	}
}
