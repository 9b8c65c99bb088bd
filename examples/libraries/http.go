package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"

	"github.com/tcpopt/tcpopt"
)

// httpClient sends requests by method to "http://" or "https://" and the address.
// Send what must not be done twice by POST: a GET goes out again, over a new
// connection, when one that was used before ends without an answer, and then the
// error is of the dialing.
func httpClient(method, scheme string, config *tls.Config) client {
	return func(address string, dial dialer) (call func() error, end func(), err error) {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DialContext = dial // A DialTLSContext would have to agree on HTTP/2 itself.
		t.TLSClientConfig = config
		t.ForceAttemptHTTP2 = true // As DefaultTransport has it. Else DialContext and TLSClientConfig turn HTTP/2 off.
		c := &http.Client{Transport: t}
		call = func() error {
			req, err := http.NewRequest(method, scheme+address, nil)
			if err != nil {
				return err
			}
			resp, err := c.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			_, err = io.Copy(io.Discard, resp.Body) // So that the connection is used again.
			return err
		}
		return call, t.CloseIdleConnections, nil
	}
}

type socketKey struct{}

// httpServer has config on each connection that it accepts, on every system, in the
// clear and through TLS, and lets handlers ask for the socket below a request.
func httpServer(l net.Listener, config tcpopt.Config, failed func(net.Conn, error), h http.Handler) (*http.Server, net.Listener) {
	return &http.Server{
		Handler: h,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			s, err := tcpopt.FromConn(c)
			if err != nil {
				return ctx
			}
			return context.WithValue(ctx, socketKey{}, s)
		},
	}, tcpopt.NewListener(l, config, failed)
}

// aborted reports whether the kernel has given up on the connection of a request:
// all that the handler is told is that its context was canceled. HTTP/2 closes the
// connection at the same time, and a closed one does not say.
func aborted(r *http.Request) bool {
	s, ok := r.Context().Value(socketKey{}).(tcpopt.Socket)
	if !ok {
		return false
	}
	p, err := s.Progress()
	return err == nil && p.Aborted
}
