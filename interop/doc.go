// Package interop tests tcpopt together with the wrappers, listeners and proxies of
// others. It is a module of its own, so that users of tcpopt do not depend on them.
package interop
