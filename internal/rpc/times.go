package rpc

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// noTime returns the path of the first timestamp in a message that is no time, as one beyond
// the year 9999; empty if there is none. No constraint of a field says so.
func noTime(m protoreflect.Message) (path string) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil || fd.IsList() || fd.IsMap() {
			return true
		}
		inner := v.Message()
		if t, ok := inner.Interface().(*timestamppb.Timestamp); ok {
			if !t.IsValid() {
				path = string(fd.Name())
			}
		} else if deeper := noTime(inner); deeper != "" {
			path = string(fd.Name()) + "." + deeper
		}
		return path == ""
	})
	return path
}
