package gateway

import (
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/internal/restjson"
)

const jsonType = "application/json"

// marshaler encodes JSON as restjson does for a file of services, and decodes it strictly.
type marshaler struct{ runtime.JSONPb }

func newMarshaler(file protoreflect.FileDescriptor) *marshaler {
	return &marshaler{runtime.JSONPb{
		MarshalOptions:   restjson.OptionsFor(file),
		UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
	}}
}

// Marshal encodes v in one line.
func (m *marshaler) Marshal(v any) ([]byte, error) {
	raw, err := m.JSONPb.Marshal(v)
	if err != nil {
		return nil, err
	}
	return restjson.Compact(raw), nil
}
