// Package bench compares package liveness with what people use today. It is a
// module of its own, so that nobody who uses tcpopt depends on the others.
package bench
