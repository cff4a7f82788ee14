//go:build linux

package main

import (
	"errors"
	"time"

	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// raw is a response as it came: to decode a thousand times what all get alike would measure
// this program.
type raw struct {
	bytes []byte
	free  func()
}

// rawCodec keeps responses as they come.
type rawCodec struct{}

// Name implements encoding.CodecV2.
func (rawCodec) Name() string { return encodingproto.Name }

// Marshal implements encoding.CodecV2.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return encoding.GetCodecV2(encodingproto.Name).Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*raw)
	if !ok {
		return errors.New("not a raw response")
	}
	b := data.MaterializeToBuffer(mem.DefaultBufferPool())
	m.bytes, m.free = b.ReadOnlyData(), b.Free
	return nil
}

var errMalformed = errors.New("a response is malformed")

// The numbers of the fields that are looked at.
const (
	responseEvents, responseToken           = 1, 2
	eventTime, eventSequence, eventSite     = 4, 5, 6
	siteID, timestampSeconds, timestampNano = 1, 1, 2
)

// take checks the events of a response. It returns the token, and how many there were.
func (w *watcher) take(b []byte) (token string, n int64, err error) {
	now := time.Now()
	err = fields(b, func(number protowire.Number, value []byte, _ uint64) error {
		switch number {
		case responseToken:
			token = string(value)
		case responseEvents:
			n++
			return w.check(value, now)
		}
		return nil
	})
	return token, n, err
}

// check checks an event: it is the next of its site.
func (w *watcher) check(b []byte, now time.Time) error {
	var site, sequence int64
	var at time.Time
	err := fields(b, func(number protowire.Number, value []byte, v uint64) error {
		switch number {
		case eventSequence:
			sequence = int64(v)
		case eventSite:
			return fields(value, func(number protowire.Number, _ []byte, v uint64) error {
				if number == siteID {
					site = int64(v)
				}
				return nil
			})
		case eventTime:
			if w.sample {
				at = timeOf(value)
			}
		}
		return nil
	})
	if sequence <= w.last[site] {
		w.wrong++
	}
	w.last[site] = sequence
	if w.sample {
		w.lags = append(w.lags, now.Sub(at))
	}
	return err
}

func timeOf(b []byte) time.Time {
	var seconds, nanos int64
	_ = fields(b, func(number protowire.Number, _ []byte, v uint64) error { // what is malformed is far off
		switch number {
		case timestampSeconds:
			seconds = int64(v)
		case timestampNano:
			nanos = int64(v)
		}
		return nil
	})
	return time.Unix(seconds, nanos)
}

// fields calls f for each field of a message, with its bytes or its number.
func fields(b []byte, f func(number protowire.Number, value []byte, v uint64) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errMalformed
		}
		b = b[n:]
		var value []byte
		var v uint64
		switch kind {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return errMalformed
		}
		if err := f(number, value, v); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
