package identity

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// The same over UDP: a question and its answer are one datagram each.
//
//	client: 8 bytes that nobody else sends, which begin with the byte 'I',
//	        then a cookie of 8 bytes
//	server: the 6 bytes of the identity, then the cookie
//
// The cookie is another one in every question. It tells the answer from one
// that somebody else waited for at the same port, and lets the path probe
// recognise a question whose addresses have been rewritten: path.bpf.c knows
// where it stands.

// Sizes of datagrams in bytes.
const (
	QuestionSize       = len(greeting) + cookieSize
	DatagramAnswerSize = Size + cookieSize

	cookieSize = 8
)

// greeting is how a question begins.
const greeting = "Isvcbnch"

// Query returns the question with a cookie.
func Query(cookie uint64) [QuestionSize]byte {
	var b [QuestionSize]byte
	copy(b[:], greeting)
	binary.BigEndian.PutUint64(b[len(greeting):], cookie)
	return b
}

// AppendReply appends the answer of the backend at local to a question. It is
// false if that is no question, or local no IPv4 address.
func AppendReply(answer, question []byte, local netip.AddrPort) ([]byte, bool) {
	if len(question) != QuestionSize || !bytes.HasPrefix(question, []byte(greeting)) {
		return answer, false
	}
	id, err := Encode(local)
	if err != nil {
		return answer, false
	}
	return append(append(answer, id[:]...), question[len(greeting):]...), true
}

// Reply returns the address in an answer. It is false if that is no answer to
// the question with this cookie.
func Reply(answer []byte, cookie uint64) (netip.AddrPort, bool) {
	if len(answer) != DatagramAnswerSize || binary.BigEndian.Uint64(answer[Size:]) != cookie {
		return netip.AddrPort{}, false
	}
	return Decode([Size]byte(answer)), true
}
