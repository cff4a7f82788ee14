package lookup

import (
	"encoding/binary"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// attempt is one packet to one server and what came of it.
//
// The lookup's goroutine makes it. From the moment when it is sent, a reader may bring news
// of it, until the attempt is dropped.
type attempt struct {
	question *question
	server   *server
	// socket is nil before sending, and over TCP.
	socket *socket
	tcp    bool
	manner
	id uint16
	// packet is the question as sent, with a name of nameBytes.
	packet    []byte
	nameBytes int
	room      [packetBytes]byte
	sent      time.Duration

	// The inquiry's lock guards these. over is true when nothing more is expected, and
	// dropped when the question is about another name by now.
	over, dropped bool
	// heard is true when the attempt's answer has come: then the reader forgets the attempt
	// before it leaves the socket to others.
	heard bool
	news  news
	code  dnsmessage.RCode
	err   error
}

// manner is how an attempt asks.
type manner struct {
	edns bool
	// mixed is true when the name has random cases. lowered is true when it has none because
	// an answer to the same question was in other cases.
	mixed, lowered bool
}

// news is what came of an attempt and was not looked at yet.
type news uint8

const (
	noNews news = iota
	// newsTold: the question's reading holds the answer.
	newsTold
	// newsCode: the server answered with an error code.
	newsCode
	// newsCut: the answer is truncated or malformed; over TCP it may be whole.
	newsCut
	// newsCase: somebody answered in another mix of cases. The true answer may still come.
	newsCase
	// newsError: the server could not be asked.
	newsError
)

// write composes the packet, except its id.
func (a *attempt) write(mixed bool) error {
	var err error
	if a.packet, err = compose(a.room[:0], &a.question.name, a.question.kind, a.edns); err != nil {
		return err
	}
	a.nameBytes = a.question.nameBytes()
	if a.mixed = mixed; mixed {
		mix(a.packet[headerBytes:][:a.nameBytes])
	}
	return nil
}

// writeLike composes the packet from one that asks for another type of the same name.
func (a *attempt) writeLike(b *attempt) error {
	if a.edns != b.edns {
		return a.write(b.mixed)
	}
	a.packet = a.room[:copy(a.room[:], b.packet)]
	a.mixed, a.nameBytes = b.mixed, b.nameBytes
	binary.BigEndian.PutUint16(a.packet[headerBytes+a.nameBytes:], uint16(a.question.kind))
	if a.mixed {
		mix(a.packet[headerBytes:][:a.nameBytes])
	}
	return nil
}

func (a *attempt) setID(id uint16) {
	a.id = id
	binary.BigEndian.PutUint16(a.packet, id)
}

// hear handles a packet with the attempt's id, in a reader's goroutine. It reports whether
// the packet was believed.
func (a *attempt) hear(packet []byte, now time.Duration) (believed bool) {
	switch compare(packet, a.packet, a.nameBytes) {
	case foreign:
		return false
	case otherCase:
		if a.mixed {
			a.question.inquiry.mistrust(a)
			return false
		}
	case exact:
	}
	a.server.heard(a, now)
	a.read(packet)
	return true
}

// read reads a packet that answers the attempt.
func (a *attempt) read(packet []byte) {
	q, i := a.question, a.question.inquiry
	i.mu.Lock()
	defer i.mu.Unlock()
	a.over, a.heard = true, true
	if q.told || a.dropped || q.kind == rootKind {
		return // a late answer adds nothing
	}
	err := q.reading.read(packet, &q.name, q.kind)
	switch cut := q.reading.cut && !a.tcp; {
	case err != nil && a.tcp:
		a.news, a.err = newsError, err
	case err != nil || cut:
		a.news, q.partial = newsCut, err == nil
	case q.reading.code != dnsmessage.RCodeSuccess:
		a.news, a.code = newsCode, q.reading.code
	default:
		a.news, q.told = newsTold, true
	}
	i.rouse()
}
