package rpc_test

import (
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// raw is a codec that sends bytes, whatever the message: a field 1 that is no text and no
// number either.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer([]byte{0x0a, 200, 1})}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", v)
	}
	return proto.Unmarshal(data.Materialize(), m)
}
