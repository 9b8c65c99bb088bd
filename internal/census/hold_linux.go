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

// holding is locked while a duplicate is held: one at a time.
var holding sync.Mutex

// stopSignals are those with which a terminal, or a program in the same job, stops this
// process. Nobody can catch SIGSTOP.
var stopSignals = []os.Signal{unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU}

// deferStops makes stop signals wait until no duplicate is held. If this process
// stopped with one, its owner's close would send no FIN.
var deferStops = sync.OnceFunc(func() {
	var caught []os.Signal
	for _, sig := range stopSignals {
		// A signal that is ignored or already caught stays so.
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

// stop stops this process with sig as if nobody had caught it, and returns when it
// continues. Package signal never gives a caught signal back to the kernel.
func stop(sig os.Signal) {
	holding.Lock()
	defer holding.Unlock()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	caught, err := replaceAction(sig, sigaction{}, false)
	if err != nil {
		return // deferStops found that this works.
	}
	// The signal goes to this thread, so that the call does not return before the stop.
	unix.Tgkill(unix.Getpid(), unix.Gettid(), sig.(unix.Signal))
	replaceAction(sig, caught, false)
}

// A sigaction is a struct sigaction of the kernel, which is at most this big and has
// another order on MIPS. The zero one is SIG_DFL.
type sigaction [8]uint64

// replaceAction is rt_sigaction(2), which only reads if look is true.
func replaceAction(sig os.Signal, action sigaction, look bool) (old sigaction, err error) {
	replacement := unsafe.Pointer(&action)
	if look {
		replacement = nil
	}
	for _, size := range []uintptr{8, 16} { // The size of a signal set: 16 on MIPS.
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

// closeDuplicate closes a duplicate. If its owner has closed the socket meanwhile, this
// is the last close. With unsent data and SO_LINGER set it waits as long as the owner
// has chosen, unless boundCloses cuts it short.
func closeDuplicate(fd int, tid int) {
	closing.number.Add(1)
	closing.tid.Store(int64(tid))
	unix.Close(fd)
	closing.tid.Store(0)
}

// lingers is how often boundCloses looks at the close. It cuts short one that it sees
// twice.
const lingers = 5 * time.Millisecond

// boundCloses keeps closes of closeDuplicate from waiting, until the function that it
// returns is called. A signal ends the wait of a close, see sk_stream_wait_close of the
// kernel's net/core/stream.c; the kernel still sends what is left in the background.
// SIGURG is the signal that Go's runtime sends to its own threads, and ignores.
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
