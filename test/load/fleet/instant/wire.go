//go:build linux

package main

import (
	"errors"
	"strconv"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// bytesCodec carries messages unchanged, as a *[]byte.
type bytesCodec struct{}

// Name returns the name of the content type, which both sides must share.
func (bytesCodec) Name() string { return "proto" }

// Marshal returns the bytes of a *[]byte.
func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, errors.New("not bytes")
	}
	return mem.BufferSlice{mem.SliceBuffer(*b)}, nil
}

// Unmarshal fills a *[]byte and reuses its memory.
func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return errors.New("not bytes")
	}
	*b = (*b)[:0]
	for _, part := range data {
		*b = append(*b, part.ReadOnlyData()...)
	}
	return nil
}

// Field numbers of assignment_service.proto and check.proto.
const (
	requestHello, requestCredit, requestResults, requestHeartbeat   = 1, 2, 3, 4
	responseWelcome, responseAssignments, responseAck               = 1, 2, 3
	assignmentsBatch, assignmentsAssignments                        = 1, 5
	resultsBatch, resultsResults                                    = 1, 2
	checkSite, checkSequence, resultObservation, resultAge          = 1, 2, 3, 4
	observationOutcome, observationStatus, observationTimings       = 1, 4, 6
	observationPhase, observationMethod, observationAddress         = 7, 8, 9
	observationProtocol, observationHeaders, timingDNS, timingTotal = 10, 13, 1, 5
)

func marshal(m proto.Message) ([]byte, error) { return proto.Marshal(m) }

var errWire = errors.New("not a message")

// field reads one field of a message whose values are varints or bytes.
func field(b []byte) (number protowire.Number, value uint64, text, rest []byte, err error) {
	number, kind, n := protowire.ConsumeTag(b)
	if n < 0 {
		return 0, 0, nil, nil, errWire
	}
	b = b[n:]
	switch kind {
	case protowire.VarintType:
		value, n = protowire.ConsumeVarint(b)
	case protowire.BytesType:
		text, n = protowire.ConsumeBytes(b)
	default:
		n = protowire.ConsumeFieldValue(number, kind, b)
	}
	if n < 0 {
		return 0, 0, nil, nil, errWire
	}
	return number, value, text, b[n:], nil
}

var headerFields = [...][2]string{
	{"server", "nginx"}, {"content-type", "text/html; charset=UTF-8"}, {"x-cache", "HIT"}, {"via", "1.1 varnish"},
}

// answers encodes results.
type answers struct {
	before, after []byte // an observation up to its address, and from there on
	addresses     [][]byte
	one, all      []byte // scratch
}

// addressCount is the number of addresses that the sites share.
const addressCount = 1 << 16

func newAnswers(headers int) *answers {
	a := &answers{}
	var timing []byte
	for i := protowire.Number(timingDNS); i <= timingTotal; i++ {
		timing = number(timing, i, 12_000*uint64(i))
	}
	a.before = number(a.before, observationOutcome, 1)
	a.before = number(a.before, observationStatus, 200)
	a.before = text(a.before, observationTimings, timing)
	a.before = number(a.before, observationPhase, 7)
	a.before = number(a.before, observationMethod, 2)
	a.after = text(a.after, observationProtocol, []byte("HTTP/1.1"))
	for _, h := range headerFields[:headers] {
		a.after = text(a.after, observationHeaders, text(text(nil, 1, []byte(h[0])), 2, []byte(h[1])))
	}
	for i := range addressCount {
		b := []byte("198.")
		b = append(strconv.AppendInt(b, int64(i>>8), 10), '.')
		b = append(strconv.AppendInt(b, int64(i&255), 10), ".7:443"...)
		a.addresses = append(a.addresses, b)
	}
	return a
}

func number(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func text(b []byte, n protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
}

// answer returns the request that checks in all checks of an Assignments message, and their
// number. The caller may keep the request.
func (a *answers) answer(message []byte) (request []byte, n int, err error) {
	a.all = a.all[:0]
	for len(message) > 0 {
		f, _, value, rest, err := field(message)
		if err != nil {
			return nil, 0, err
		}
		message = rest
		switch f {
		case assignmentsBatch:
			a.all = text(a.all, resultsBatch, value)
		case assignmentsAssignments:
			if a.one, err = a.result(a.one[:0], value); err != nil {
				return nil, 0, err
			}
			a.all = text(a.all, resultsResults, a.one)
			n++
		}
	}
	// The request is new each time, as the stream may keep it for a while.
	request = make([]byte, 0, len(a.all)+8)
	return text(request, requestResults, a.all), n, nil
}

// result encodes the Result of an Assignment.
func (a *answers) result(to, assignment []byte) ([]byte, error) {
	var site uint64
	for len(assignment) > 0 {
		f, value, _, rest, err := field(assignment)
		if err != nil {
			return nil, err
		}
		assignment = rest
		switch f {
		case checkSite:
			site = value
			to = number(to, checkSite, value)
		case checkSequence:
			to = number(to, checkSequence, value)
		}
	}
	address := a.addresses[site%addressCount]
	to = protowire.AppendTag(to, resultObservation, protowire.BytesType)
	to = protowire.AppendVarint(to, uint64(len(a.before)+len(a.after)+protowire.SizeTag(observationAddress)+protowire.SizeBytes(len(address))))
	to = append(to, a.before...)
	to = text(to, observationAddress, address)
	to = append(to, a.after...)
	return number(to, resultAge, 120), nil
}
