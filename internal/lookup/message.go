package lookup

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/Automattic/jetmon/internal/ascii"
)

const (
	// udpSize is the EDNS size offered to servers: it fits into a packet everywhere.
	// Packets of servers that ignore it are accepted up to udpBuffer.
	udpSize   = 1232
	udpBuffer = 4096
	// headerBytes is the length of a message's header, and endBytes that of the type and the
	// class behind a question's name.
	headerBytes = 12
	endBytes    = 4
	// packetBytes is the longest question: header, name, end, and an empty OPT record.
	packetBytes = headerBytes + 255 + endBytes + 11
	// maxAliases limits the aliases followed within one answer, and over several questions.
	maxAliases = 8
	// maxAnswers limits the addresses of a name.
	maxAnswers = 32
	// longestTTL limits what a server says about the life of its answer, in seconds.
	longestTTL = 24 * 60 * 60
)

// setName writes a host, which has no final dot, as a message's name. A host that is too
// long gives a name without a length, which no packet can carry.
func setName(n *dnsmessage.Name, host string) {
	n.Length = 0
	if len(host) < len(n.Data) {
		n.Length = uint8(copy(n.Data[:], host)) + 1
		n.Data[n.Length-1] = '.'
	}
}

func sameName(a, b *dnsmessage.Name) bool {
	return ascii.EqualFold(a.Data[:a.Length], b.Data[:b.Length])
}

// compose appends the packet that asks for a name. Its id is still 0. It runs on the stack of
// a check, so it must not need much of it.
func compose(b []byte, name *dnsmessage.Name, kind dnsmessage.Type, edns bool) ([]byte, error) {
	const recursionDesired = 1
	additional := byte(0)
	if edns {
		additional = 1
	}
	b = append(b, 0, 0, recursionDesired, 0, 0, 1, 0, 0, 0, 0, 0, additional)
	text := name.Data[:name.Length]
	for len(text) > 1 { // what remains is the dot of the root
		dot := bytes.IndexByte(text, '.')
		if dot < 1 || dot > 63 {
			return nil, errName
		}
		b = append(append(b, byte(dot)), text[:dot]...)
		if text = text[dot+1:]; len(text) == 0 {
			break
		}
	}
	if name.Length == 0 || name.Data[name.Length-1] != '.' || int(name.Length) > 254 {
		return nil, errName
	}
	b = append(b, 0, byte(kind>>8), byte(kind), 0, byte(dnsmessage.ClassINET))
	if edns {
		b = append(b, 0, 0, byte(dnsmessage.TypeOPT), udpSize>>8, udpSize&0xff, 0, 0, 0, 0, 0, 0)
	}
	return b, nil
}

// mix gives the letters of a question's name random cases. The randomness is the runtime's
// ChaCha8, which the kernel seeds.
func mix(name []byte) {
	var bits uint64
	for i, c := range name {
		if i%64 == 0 {
			bits = rand.Uint64()
		}
		if c|0x20 >= 'a' && c|0x20 <= 'z' {
			name[i] = c ^ byte(bits&1)<<5
		}
		bits >>= 1
	}
}

// match is how well an answer's question fits the one that was asked.
type match uint8

const (
	foreign match = iota
	otherCase
	exact
)

// compare compares an answer with the packet that asked. nameLen is the length of the
// name on the wire. The ids are known to be the same.
func compare(packet, asked []byte, nameLen int) match {
	const response = 0x80
	if len(packet) < headerBytes || packet[2]&response == 0 {
		return foreign
	}
	switch binary.BigEndian.Uint16(packet[4:]) {
	case 0: // some servers omit the question in errors
		if packet[3]&0xf != 0 {
			return exact
		}
		return foreign
	case 1:
	default:
		return foreign
	}
	end := headerBytes + nameLen + endBytes
	if len(packet) < end {
		return foreign
	}
	got, want := packet[headerBytes:end], asked[headerBytes:end]
	switch {
	case bytes.Equal(got, want):
		return exact
	case bytes.Equal(got[nameLen:], want[nameLen:]) && ascii.EqualFold(got[:nameLen], want[:nameLen]):
		return otherCase
	}
	return foreign
}

// reading is what an answer says about a name.
type reading struct {
	code dnsmessage.RCode
	// cut is true when the server had more to say than the packet holds.
	cut bool
	// records counts the records of the answer.
	records int
	addrs   []netip.Addr
	// alias is the name to ask for next, when there are no addresses; else its length is 0.
	alias dnsmessage.Name
	// ttl is in seconds.
	ttl uint32
}

// read reads the answer about one type of address of a name. It follows the aliases within
// the answer.
func (r *reading) read(packet []byte, name *dnsmessage.Name, kind dnsmessage.Type) error {
	*r = reading{addrs: r.addrs[:0], ttl: longestTTL}
	var p dnsmessage.Parser
	h, err := p.Start(packet)
	if err != nil {
		return err
	}
	r.code, r.cut = h.RCode, h.Truncated
	if err := p.SkipAllQuestions(); err != nil {
		return err
	}
	here, hops := *name, 0
	for {
		before, answers := hops, p
		if err := r.pass(&answers, &here, &hops, kind); err != nil {
			return err
		}
		// Aliases need not be in the order in which they follow each other.
		if len(r.addrs) > 0 || hops == before || hops >= maxAliases {
			break
		}
	}
	if len(r.addrs) == 0 && hops > 0 {
		r.alias = here
	}
	if r.code == dnsmessage.RCodeSuccess && r.records == 0 {
		r.extend(&p)
	}
	return nil
}

// pass reads all records of the answer once, for the addresses of a name. It moves on to the
// name's alias, and counts that as a hop.
func (r *reading) pass(p *dnsmessage.Parser, name *dnsmessage.Name, hops *int, kind dnsmessage.Type) error {
	r.records = 0
	for {
		h, err := p.AnswerHeader()
		if err == dnsmessage.ErrSectionDone {
			return nil
		}
		if err != nil {
			return err
		}
		r.records++
		used := false
		switch {
		case !sameName(&h.Name, name):
		case h.Type == dnsmessage.TypeCNAME && len(r.addrs) == 0 && *hops < maxAliases:
			target, err := p.CNAMEResource()
			if err != nil {
				return err
			}
			*name, used = target.CNAME, true
			*hops++
		case h.Type == kind && h.Class == dnsmessage.ClassINET:
			if err := r.address(p, &h); err != nil {
				return err
			}
			used = true
		}
		if !used {
			if err := p.SkipAnswer(); err != nil {
				return err
			}
			continue
		}
		if h.TTL > 1<<31-1 { // RFC 2181 section 8
			h.TTL = 0
		}
		r.ttl = min(r.ttl, h.TTL)
	}
}

// address reads the address in a record of type A or AAAA.
func (r *reading) address(p *dnsmessage.Parser, h *dnsmessage.ResourceHeader) error {
	var addr netip.Addr
	switch {
	case h.Type == dnsmessage.TypeA && h.Length == 4:
		a, err := p.AResource()
		if err != nil {
			return err
		}
		addr = netip.AddrFrom4(a.A)
	case h.Type == dnsmessage.TypeAAAA && h.Length == 16:
		a, err := p.AAAAResource()
		if err != nil {
			return err
		}
		// The address is not unmapped, so that the address policy sees an embedded IPv4 address.
		addr = netip.AddrFrom16(a.AAAA)
	default:
		return errLength
	}
	if len(r.addrs) < maxAnswers {
		r.addrs = append(r.addrs, addr)
	}
	return nil
}

// extend adds the upper bits of the response code, which an OPT record has. What cannot be
// read behind the answers does not matter.
func (r *reading) extend(p *dnsmessage.Parser) {
	if p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return
	}
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return
		}
		if h.Type == dnsmessage.TypeOPT {
			r.code = h.ExtendedRCode(r.code)
			return
		}
		if p.SkipAdditional() != nil {
			return
		}
	}
}
