module github.com/tcpopt/tcpopt/examples

go 1.26.0

replace github.com/tcpopt/tcpopt => ../

require (
	github.com/cenkalti/backoff/v5 v5.0.3
	github.com/coder/websocket v1.8.15
	github.com/tcpopt/tcpopt v0.0.0-00010101000000-000000000000
)

require golang.org/x/sys v0.35.0 // indirect
