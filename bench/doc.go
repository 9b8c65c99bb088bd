// Package bench compares tcpopt and package liveness with what people use today.
// README.md has the figures, and the script run measures them again. It is a module of
// its own, so that users of tcpopt do not depend on the others.
package bench
