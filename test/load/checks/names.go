//go:build linux

package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

const (
	typeA, typeAAAA = 1, 28
	headerBytes     = 12
	// plainTTL is that of new names, none of which is asked for twice.
	plainTTL = 60
	// mixTTL is short: a check's second request finds the name in the cache, the next check
	// of the site does not.
	mixTTL = 1
)

// nameServer answers questions about the names of the mix and of the plain target.
type nameServer struct {
	sites []mixSite
}

// listen serves on loopback until the process ends, and returns the address.
func (s nameServer) listen() (string, error) {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return "", fmt.Errorf("listen for questions: %w", err)
	}
	_ = c.SetReadBuffer(4 << 20)
	go func() {
		in, out := make([]byte, 4096), make([]byte, 0, 4096)
		for {
			n, from, err := c.ReadFromUDPAddrPort(in)
			if err != nil {
				return
			}
			if out = s.answer(out[:0], in[:n]); len(out) > 0 {
				_, _ = c.WriteToUDPAddrPort(out, from)
			}
		}
	}()
	return c.LocalAddr().String(), nil
}

// answer appends the answer to a question. It appends nothing when there is no question.
func (s nameServer) answer(b, question []byte) []byte {
	if len(question) < headerBytes {
		return b
	}
	name, end := readName(question)
	if end == 0 || end+4 > len(question) {
		return b
	}
	qtype := binary.BigEndian.Uint16(question[end:])
	addrs, ttl, known := s.find(strings.ToLower(name))
	b = append(b, question[:end+4]...)
	b[2], b[3] = 0x81, 0x80 // an answer; recursion is desired and available
	if !known {
		b[3] |= 3 // no such name
	}
	copy(b[4:headerBytes], []byte{0, 1, 0, 0, 0, 0, 0, 0})
	for _, a := range addrs {
		if a.Is4() != (qtype == typeA) || qtype != typeA && qtype != typeAAAA {
			continue
		}
		b[7]++
		b = append(b, 0xc0, headerBytes) // the name in the question
		b = binary.BigEndian.AppendUint16(b, qtype)
		b = append(b, 0, 1)
		b = binary.BigEndian.AppendUint32(b, ttl)
		raw := a.AsSlice()
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(raw))), raw...)
	}
	return b
}

// readName reads the name of the question, and returns where it ends; 0 means nowhere.
func readName(message []byte) (name string, end int) {
	var b strings.Builder
	for at := headerBytes; at < len(message); {
		size := int(message[at])
		at++
		switch {
		case size == 0:
			return b.String(), at
		case size > 63 || at+size > len(message):
			return "", 0
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.Write(message[at : at+size])
		at += size
	}
	return "", 0
}

func (s nameServer) find(name string) (addrs []netip.Addr, ttl uint32, known bool) {
	if n, ok := readPlainHost(name); ok {
		return []netip.Addr{address(n)}, plainTTL, true
	}
	n, _, ok := readMixHost(name)
	if !ok {
		return nil, 0, false
	}
	addrs = []netip.Addr{address(n)}
	if n < len(s.sites) && s.sites[n].ipv6 {
		addrs = append(addrs, netip.IPv6Loopback())
	}
	return addrs, mixTTL, true
}

// address returns one of the target's loopback addresses.
func address(n int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, byte(n%addresses + 2)}) }
