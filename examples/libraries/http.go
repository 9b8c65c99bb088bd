package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"

	"github.com/tcpopt/tcpopt"
)

// httpClient sends requests to the address. scheme is "http://" or "https://". Use POST
// for what must not be done twice: when a reused connection ends without an answer, a
// GET is sent again over a new one, and the error is then that of the dial.
func httpClient(method, scheme string, config *tls.Config) client {
	return func(address string, dial dialer) (call func() error, end func(), err error) {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DialContext = dial // A DialTLSContext would have to negotiate HTTP/2 itself.
		t.TLSClientConfig = config
		t.ForceAttemptHTTP2 = true // As in DefaultTransport. Otherwise DialContext and TLSClientConfig turn HTTP/2 off.
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
			_, err = io.Copy(io.Discard, resp.Body) // So that the connection is reused.
			return err
		}
		return call, t.CloseIdleConnections, nil
	}
}

type socketKey struct{}

// httpServer sets config on each connection that it accepts, on every system, with TLS
// or without. Its handlers can get the socket below a request.
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

// aborted reports whether the kernel has given up the connection of a request. The
// handler itself only learns that its context was canceled. HTTP/2 closes the
// connection at the same time, and a closed connection reports nothing.
func aborted(r *http.Request) bool {
	s, ok := r.Context().Value(socketKey{}).(tcpopt.Socket)
	if !ok {
		return false
	}
	p, err := s.Progress()
	return err == nil && p.Aborted
}
