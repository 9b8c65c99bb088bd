module example.org/outside

go 1.23.0

require github.com/tcpopt/tcpopt v0.0.0

require golang.org/x/sys v0.35.0 // indirect

replace github.com/tcpopt/tcpopt => ../..
