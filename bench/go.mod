module github.com/tcpopt/tcpopt/bench

go 1.26.0

replace github.com/tcpopt/tcpopt => ../

require (
	github.com/hashicorp/yamux v0.1.2
	github.com/mikioh/tcp v0.0.0-20190314235350-803a9b46060c
	github.com/mikioh/tcpopt v0.0.0-20190314235656-172688c1accc
	github.com/tcpopt/tcpopt v0.0.0-00010101000000-000000000000
	golang.org/x/sys v0.49.0
)

require (
	github.com/aclements/go-moremath v0.0.0-20210112150236-f10218a38794 // indirect
	github.com/mikioh/tcpinfo v0.0.0-20190314235526-30a79bb1804b // indirect
	golang.org/x/perf v0.0.0-20260908200009-22c9c6c9d4da // indirect
)

tool golang.org/x/perf/cmd/benchstat
