package census

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// holding is locked while a duplicate is held, of which there is one at a time.
var holding sync.Mutex

// stopSignals are those by which a terminal, or a program in the same job, stops
// this process. SIGSTOP is for nobody to catch.
var stopSignals = []os.Signal{unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU}

// deferStops makes stop signals wait until no duplicate is held: while this process
// were stopped with one, its owner's close would send no FIN.
var deferStops = sync.OnceFunc(func() {
	var caught []os.Signal
	for _, sig := range stopSignals {
		// One that is ignored, or in somebody's hands, stays so.
		if old, err := replaceAction(sig, sigaction{}, true); err == nil && old == (sigaction{}) {
			caught = append(caught, sig)
		}
	}
	if len(caught) == 0 {
		return
	}
	stops := make(chan os.Signal, len(caught))
	signal.Notify(stops, caught...)
	go func() {
		for sig := range stops {
			stop(sig)
		}
	}()
})

// stop stops this process by sig as if nobody had caught it, and returns when it
// goes on. What package signal has once caught it never gives back to the kernel.
func stop(sig os.Signal) {
	holding.Lock()
	defer holding.Unlock()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	caught, err := replaceAction(sig, sigaction{}, false)
	if err != nil {
		return // It was found out before that this can be done.
	}
	// It is this thread's, so that this call does not return before it has stopped.
	unix.Tgkill(unix.Getpid(), unix.Gettid(), sig.(unix.Signal))
	replaceAction(sig, caught, false)
}

// A sigaction is a struct sigaction of the kernel, which has an order of its own
// on MIPS, and at most the size of this. The zero one is SIG_DFL.
type sigaction [8]uint64

// replaceAction is rt_sigaction(2), which only reads if look is true.
func replaceAction(sig os.Signal, action sigaction, look bool) (old sigaction, err error) {
	replacement := unsafe.Pointer(&action)
	if look {
		replacement = nil
	}
	for _, size := range []uintptr{8, 16} { // Of a set of signals: 16 on MIPS.
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig.(unix.Signal)), uintptr(replacement), uintptr(unsafe.Pointer(&old)), size, 0, 0)
		if errno == 0 {
			return old, nil
		}
		err = errno
	}
	return old, err
}

// closing is the close of a duplicate.
var closing struct {
	tid    atomic.Int64 // of the thread; 0: none is closing one
	number atomic.Int64 // of the close
}

// closeDuplicate closes a duplicate. If its owner has closed the socket meanwhile
// this is the last close, and with data unsent and SO_LINGER set it waits as long
// as the owner has chosen, unless boundCloses is there.
func closeDuplicate(fd int, tid int) {
	closing.number.Add(1)
	closing.tid.Store(int64(tid))
	unix.Close(fd)
	closing.tid.Store(0)
}

// lingers is how often a look is taken at the close: one that is seen twice is cut
// short.
const lingers = 5 * time.Millisecond

// boundCloses keeps closes by closeDuplicate from waiting, until the function that
// it returns is called. A signal ends what a close waits for, see
// sk_stream_wait_close of net/core/stream.c of the kernel; the socket is sent to its
// end in the background all the same. SIGURG is the one that Go's runtime sends to
// its own threads, and takes no notice of.
func boundCloses() (end func()) {
	done := make(chan struct{})
	go func() {
		ticker := time.NewTicker(lingers)
		defer ticker.Stop()
		seen := int64(0)
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			number, tid := closing.number.Load(), closing.tid.Load()
			if tid != 0 && number == seen {
				unix.Tgkill(unix.Getpid(), int(tid), unix.SIGURG)
			}
			seen = number
		}
	}()
	return func() { close(done) }
}
