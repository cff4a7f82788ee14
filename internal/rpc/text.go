package rpc

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// garbled returns the path of the first text in an encoded message that is no UTF-8; empty if
// there is none. The decoder refuses it without saying where it is.
func garbled(b []byte, m protoreflect.MessageDescriptor) string {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return ""
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			return ""
		}
		value := b[:n]
		b = b[n:]
		fd := m.Fields().ByNumber(number)
		if fd == nil || kind != protowire.BytesType {
			continue
		}
		text, _ := protowire.ConsumeBytes(value)
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
