package tcpopt

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"syscall"
)

// maxUnwrap is how many wrappers are looked through; they may be a ring.
const maxUnwrap = 16

func fromConn(c net.Conn) (Socket, error) {
	inner := c
	for range maxUnwrap + 1 {
		if t, ok := inner.(*net.TCPConn); ok && t != nil {
			return Socket{conn: t}, nil
		}
		if err := checkNil(c, inner); err != nil {
			return Socket{}, err
		}
		switch t := inner.(type) {
		case interface{ NetConn() net.Conn }:
			inner = t.NetConn()
		case syscall.Conn:
			return fromSyscallConn(t, stream)
		default:
			next, ok := embedded[net.Conn](inner)
			if !ok {
				return Socket{}, fmt.Errorf("tcpopt: %T does not lead to a TCP socket: it has no NetConn, no SyscallConn and embeds no net.Conn (set options in a Control function, or take the connection that it was made from): %w", inner, errors.ErrUnsupported)
			}
			inner = next
		}
	}
	return Socket{}, tooDeep(c)
}

func fromListener(l net.Listener) (Socket, error) {
	inner := l
	for range maxUnwrap + 1 {
		if err := checkNil(l, inner); err != nil {
			return Socket{}, err
		}
		if t, ok := inner.(syscall.Conn); ok {
			return fromSyscallConn(t, listener)
		}
		next, ok := embedded[net.Listener](inner)
		if !ok {
			return Socket{}, fmt.Errorf("tcpopt: %T does not lead to a TCP socket: it has no SyscallConn and embeds no net.Listener (use ListenControl, or take the listener that it was made from): %w", inner, errors.ErrUnsupported)
		}
		inner = next
	}
	return Socket{}, tooDeep(l)
}

func tooDeep(outer any) error {
	return fmt.Errorf("tcpopt: %T wraps more than %d others: %w", outer, maxUnwrap, errors.ErrUnsupported)
}

// checkNil refuses an inner that is nil, with or without a type, since methods of
// such a one may panic. Outer is what led to it.
func checkNil(outer, inner any) error {
	switch v := reflect.ValueOf(inner); v.Kind() {
	case reflect.Invalid:
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		if !v.IsNil() {
			return nil
		}
	default:
		return nil
	}
	if reflect.TypeOf(outer) == reflect.TypeOf(inner) {
		return fmt.Errorf("tcpopt: nil %T: %w", inner, syscall.EINVAL)
	}
	return fmt.Errorf("tcpopt: %T holds a nil %T: %w", outer, inner, syscall.EINVAL)
}

// embedded returns the T that outer, a struct or a pointer to one, embeds. A field
// with a name may hold anything, and what an embedded struct embeds may be there
// for another purpose.
func embedded[T any](outer any) (inner T, ok bool) {
	v := reflect.Indirect(reflect.ValueOf(outer))
	if v.Kind() != reflect.Struct {
		return inner, false
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous && f.IsExported() && f.Type == reflect.TypeFor[T]() { // By an alias it may be closed.
			inner, _ = v.Field(i).Interface().(T)
			return inner, true
		}
	}
	return inner, false
}

// fromSyscallConn asks c once whether it is TCP.
func fromSyscallConn(c syscall.Conn, k kind) (Socket, error) {
	raw, err := c.SyscallConn()
	switch {
	case err != nil:
	case raw == nil:
		err = invalid("its SyscallConn returned nil")
	default:
		err = Socket{raw: raw}.control(&visit{ask: true})
	}
	if err != nil {
		return Socket{}, fmt.Errorf("tcpopt: %T: %w", c, err)
	}
	return Socket{raw: raw, kind: k}, nil
}
