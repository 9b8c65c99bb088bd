package main

import (
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"time"
)

// A Server has the methods that clients may call.
type Server struct{}

func (Server) Nothing(string, *int) error            { return nil }
func (Server) Upload(data string, length *int) error { *length = len(data); return nil }

func serveAll(l net.Listener) {
	rpc.Register(Server{})
	for {
		conn, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		if *serve == "" { // Both run here, where all is fast.
			conn.(*net.TCPConn).SetReadBuffer(64 << 10)
			conn = &slow{conn, time.Now()}
		}
		go jsonrpc.ServeConn(conn)
	}
}

// A slow connection takes 125 kB a second.
type slow struct {
	net.Conn
	until time.Time
}

func (s *slow) Read(b []byte) (int, error) {
	time.Sleep(time.Until(s.until))
	n, err := s.Conn.Read(b)
	s.until = time.Now().Add(time.Duration(n) * 8 * time.Microsecond)
	return n, err
}
