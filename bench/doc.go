// Package bench compares tcpopt and package liveness with what people use today;
// README.md has the figures, and run, beside it, measures them anew. It is a module
// of its own, so that nobody who uses tcpopt depends on the others.
package bench
