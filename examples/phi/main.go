// Phi is the φ accrual failure detector, fed by heartbeats, next to a fixed timeout.
//
//	go run ./phi                                 # both ends, over loopback
//	go run ./phi -serve :7000                    # on one host
//	go run ./phi -stop -connect 192.0.2.1:7000   # on another, whose cable you cut
//
// Look at how φ grows with the silence, faster the more regular the heartbeats were,
// and at when the fixed timeout expires. You choose which φ is too much: at 8, one
// suspicion in 10⁸ is wrong, if the intervals are normally distributed. Over TCP they
// are not, since a lost packet is late by a whole retransmission timeout: let the
// minimum deviation cover that.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"time"
)

func main() {
	log.SetFlags(0)
	serve := flag.String("serve", "", "send heartbeats to everyone who connects to this `address`")
	connect := flag.String("connect", "", "watch the heartbeats from this `address`")
	every := flag.Duration("every", time.Second, "time between two heartbeats")
	fixed := flag.Duration("fixed", 3*time.Second, "the fixed timeout to compare with")
	threshold := flag.Float64("threshold", 8, "suspect the peer from this φ on")
	least := flag.Duration("deviation", 100*time.Millisecond, "the minimum standard deviation of the intervals")
	stop := flag.Bool("stop", false, "end when both suspect the peer")
	flag.Parse()
	if *serve != "" || *connect == "" {
		l, err := net.Listen("tcp", *serve)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("heartbeats every %v from %v\n", *every, l.Addr())
		if *serve != "" {
			beat(l, *every)
		}
		go beat(l, *every)
		*connect = fmt.Sprintf("localhost:%d", l.Addr().(*net.TCPAddr).Port)
	}
	c, err := net.Dial("tcp", *connect)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("cut the cable, and see which of the two suspects the peer first")
	beats := make(chan time.Time)
	go func() {
		for b := make([]byte, 1); ; beats <- time.Now() {
			if _, err := c.Read(b); err != nil {
				log.Fatal(err)
			}
		}
	}()
	d := Detector{MinDeviation: *least}
	looks := time.Tick(*every / 5)
	for last, suspected, late := time.Now(), false, false; !*stop || !suspected || !late; {
		select {
		case last = <-beats:
			d.Observe(last)
			suspected, late = false, false
		case <-looks:
			now := time.Now()
			silent, phi := now.Sub(last), d.Phi(now)
			fmt.Printf("silent for %4d ms: φ = %5.2f, fixed timeout: %v\n", silent.Milliseconds(), phi, word[silent >= *fixed])
			if phi >= *threshold && !suspected {
				suspected = true
				fmt.Printf("φ of %v suspects the peer\n", *threshold)
			}
			if silent >= *fixed && !late {
				late = true
				fmt.Printf("the fixed timeout of %v suspects the peer\n", *fixed)
			}
		}
	}
}

var word = map[bool]string{false: "alive", true: "dead"}

// beat sends heartbeats to everyone who connects.
func beat(l net.Listener, every time.Duration) {
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer c.Close()
			for range time.Tick(every) {
				if _, err := c.Write([]byte{1}); err != nil {
					return
				}
			}
		}()
	}
}
