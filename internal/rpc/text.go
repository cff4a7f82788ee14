package rpc

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// garbled returns the path of the first text in an encoded message that is no UTF-8; empty if
// there is none. The decoder refuses it without saying where it is.
func garbled(b []byte, m protoreflect.MessageDescriptor) string {
	for f := range fieldsOf(b) {
		fd := m.Fields().ByNumber(f.number)
		if fd == nil || f.kind != protowire.BytesType {
			continue
		}
		text, _ := protowire.ConsumeBytes(f.value)
		switch {
		case fd.Kind() == protoreflect.StringKind && !utf8.Valid(text):
			return string(fd.Name())
		case fd.Message() != nil:
			if path := garbled(text, fd.Message()); path != "" {
				return string(fd.Name()) + "." + path
			}
		}
	}
	return ""
}
