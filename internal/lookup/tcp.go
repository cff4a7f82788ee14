package lookup

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"
)

// tcpPatience is how long an exchange over TCP may take.
const tcpPatience = 2 * time.Second

// wantWhole asks again over TCP after a truncated or malformed answer.
func (q *question) wantWhole(a *attempt, now time.Duration) {
	if len(q.attempts) >= maxAttempts {
		return
	}
	b := q.attempt(a.server, a.edns, now)
	b.tcp = true
	if err := b.write(false); err != nil {
		q.inquiry.tell(b, newsError, err)
		return
	}
	b.setID(uint16(rand.Uint32()))
	q.supersede(a, b, now+tcpPatience+q.inquiry.patience)
	q.inquiry.resolver.counts.overTCP.Add(1)
	ctx, cancel := q.inquiry.background(tcpPatience)
	q.inquiry.work.Go(func() {
		defer cancel()
		q.overTCP(ctx, b)
	})
}

// overTCP does the exchange of an attempt over TCP.
func (q *question) overTCP(ctx context.Context, a *attempt) {
	defer func() {
		if v := recover(); v != nil {
			q.inquiry.tell(a, newsError, bug{v})
		}
	}()
	packet, err := exchangeTCP(ctx, a.server.addr.String(), a.packet)
	switch {
	case err != nil:
	case binary.BigEndian.Uint16(packet) != a.id || compare(packet, a.packet, a.nameBytes) == foreign:
		err = errNotOurs
	default:
		a.server.heard(a, a.server.resolver.clock())
		a.read(packet)
		return
	}
	q.inquiry.tell(a, newsError, err)
}

// exchangeTCP sends a packet and returns the answer, which has at least a header.
func exchangeTCP(ctx context.Context, server string, packet []byte) ([]byte, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
	if _, err := c.Write(framed); err != nil {
		return nil, fmt.Errorf("ask over TCP: %w", err)
	}
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, fmt.Errorf("read over TCP: %w", err)
	}
	answer := make([]byte, binary.BigEndian.Uint16(size[:]))
	if len(answer) < headerBytes {
		return nil, errNotOurs
	}
	if _, err := io.ReadFull(c, answer); err != nil {
		return nil, fmt.Errorf("read over TCP: %w", err)
	}
	return answer, nil
}
