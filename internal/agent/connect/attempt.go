package connect

import "golang.org/x/sys/unix"

// attempt is one connection: the plan for it and, later, what became of it.
//
// Latency is counted from the clock just before connect to the clock at which
// the client could first have used the connection:
//
//   - On loopback and veth the kernel runs the whole handshake inside connect,
//     which nevertheless returns EINPROGRESS. The socket is therefore asked at
//     once, and if it is connected the end is that of the call. Waiting for
//     epoll instead would charge the loop's own next turn to the path. What is
//     established between the end of the call and the question (less than a
//     microsecond) is dated back by that much.
//   - Otherwise the end is when epoll tells. The loop may be busy with another
//     connection then, which adds up to the cost of one.
//
// Over UDP the client can use a connection once the answer to its datagram is
// there, which epoll tells: there the latency holds the way back, and what the
// backend's process takes to wake up and to answer. Only the calls, connect and
// send, are the path's alone.
type attempt struct {
	start  int64 // just before connect, in ns of CLOCK_MONOTONIC
	took   int64 // ns from start until established
	call   int64 // ns that connect itself took, over UDP connect and send
	target int32 // index in Spec.Targets
	fd     int32
	state  state
	errno  uint16 // why it failed
}

// state is how far an attempt has come.
type state uint8

const (
	planned state = iota
	dropped       // never started
	open
	established
	failed
	censored // did not end in time
)

func (a *attempt) fail(errno unix.Errno) { a.state, a.errno = failed, uint16(errno) }

// establish ends the attempt well. The loop may have noticed too late that its
// time was over.
func (a *attempt) establish(at, timeout int64) {
	a.took = at - a.start
	if a.state = established; a.took > timeout {
		a.state = censored
	}
}
