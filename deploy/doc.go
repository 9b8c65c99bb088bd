// Package deploy has what runs tcpopt on many machines, and its tests: a module of
// its own, since they need the types of Kubernetes.
package deploy
