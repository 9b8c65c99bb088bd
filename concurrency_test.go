package tcpopt_test

import (
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/tcpopt/tcpopt"
)

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	client, server := connect(t, "tcp4", false)
	shared := []tcpopt.Socket{fromConn(t, client), fromConn(t, struct{ *net.TCPConn }{server})}
	var wg sync.WaitGroup
	for range 4 {
		for _, tt := range allCalls {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for _, s := range shared {
					if err := tt.call(s); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, net.ErrClosed) {
						t.Errorf("%s: %v", tt.name, err)
					}
				}
			}()
		}
	}
	server.Close()
	wg.Wait()
}
