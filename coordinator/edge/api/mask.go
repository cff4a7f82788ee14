package api

import (
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// editable lists the fields that a client may set.
var editable = []string{"blog_id", "check_interval", "paused", "public_badges", "settings", "tags", "url"}

// wildcard in a mask stands for all fields that a client may set.
const wildcard = "*"

// editPaths returns the fields of a site that an update changes; see maskPaths.
func editPaths(req *monitorv1.UpdateSiteRequest) ([]string, error) {
	return maskPaths(req.GetSite().ProtoReflect(), req.GetUpdateMask().GetPaths(), editable, "site")
}

// maskPaths returns the sorted names, by which they are applied, of the fields that an update of
// a resource changes: those in its mask, or without a mask those that are set (AIP-134). It
// skips output-only fields and refuses a path that is no field of the resource, which is called
// name. whole is what the wildcard stands for.
func maskPaths(resource protoreflect.Message, mask, whole []string, name string) ([]string, error) {
	if len(mask) == 0 {
		return slices.Sorted(slices.Values(populated(resource, ""))), nil
	}
	var paths []string
	for _, path := range mask {
		if path == wildcard {
			paths = append(paths, whole...)
			continue
		}
		field, isOutput, ok := fieldPath(resource.Descriptor(), path)
		if !ok {
			return nil, fault.InvalidField("update_mask", "%q is not a field of a %s", fault.Clip(path, maxQuote), name)
		}
		if !isOutput {
			paths = append(paths, field)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// maxQuote bounds the bytes of a caller's text that an error quotes.
const maxQuote = 64

// populated lists the fields of m that have a value and that a client may set; for a message
// field it lists the fields inside.
func populated(m protoreflect.Message, prefix string) (paths []string) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		path := prefix + string(fd.Name())
		switch {
		case isOutputOnly(fd):
		case inside(fd) != nil:
			paths = append(paths, populated(v.Message(), path+".")...)
		default:
			paths = append(paths, path)
		}
		return true
	})
	return paths
}

// fieldPath resolves a path through the fields of m, by their names in the proto or in JSON.
// It returns the path in proto names, and whether only the server sets that field. It
// accepts any path below a map.
func fieldPath(m protoreflect.MessageDescriptor, path string) (name string, isOutput, ok bool) {
	var names []string
	for segment := range strings.SplitSeq(path, ".") {
		if m == nil {
			return "", false, false
		}
		fd := m.Fields().ByName(protoreflect.Name(segment))
		if fd == nil {
			fd = m.Fields().ByJSONName(segment)
		}
		if fd == nil {
			return "", false, false
		}
		names = append(names, string(fd.Name()))
		isOutput = isOutput || isOutputOnly(fd)
		if fd.IsMap() {
			break
		}
		m = inside(fd)
	}
	return strings.Join(names, "."), isOutput, true
}

// inside returns the message whose fields have paths of their own below fd; nil when a
// client can change fd only as a whole.
func inside(fd protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	m := fd.Message()
	if m == nil || fd.IsList() || fd.IsMap() || m.ParentFile().Package() == "google.protobuf" {
		return nil
	}
	return m
}

// isOutputOnly reports whether an update ignores a client's value of the field: the server
// sets it, or it identifies the site or what was read of it.
func isOutputOnly(fd protoreflect.FieldDescriptor) bool {
	behavior, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return fd.Name() == etagField || slices.Contains(behavior, annotations.FieldBehavior_OUTPUT_ONLY) ||
		slices.Contains(behavior, annotations.FieldBehavior_IDENTIFIER)
}
