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

// editable names the fields that a client may set.
var editable = []string{"blog_id", "check_interval", "paused", "settings", "url"}

// wildcard in a mask stands for all that a client may set.
const wildcard = "*"

// editPaths lists the fields that an update changes, sorted, each as applyField knows it:
// those in its mask, or without a mask those that its site has (AIP-134). It leaves
// output-only fields out and refuses a path that is no field.
func editPaths(req *monitorv1.UpdateSiteRequest) ([]string, error) {
	site := req.GetSite().ProtoReflect()
	mask := req.GetUpdateMask().GetPaths()
	if len(mask) == 0 {
		return slices.Sorted(slices.Values(populated(site, ""))), nil
	}
	var paths []string
	for _, path := range mask {
		if path == wildcard {
			paths = append(paths, editable...)
			continue
		}
		name, isOutput, ok := fieldPath(site.Descriptor(), path)
		if !ok {
			return nil, fault.InvalidField("update_mask", "%q is not a field of a site", fault.Clip(path, maxQuote))
		}
		if !isOutput {
			paths = append(paths, name)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// maxQuote is how many bytes of a caller's text an error quotes.
const maxQuote = 64

// populated lists the fields of m that have a value and that a client may set; of a
// message, the fields inside it.
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

// fieldPath follows a path through the fields of m, by their names in the proto or in
// JSON. It answers the path in the proto's names, and whether the server alone sets what
// it leads to. Below a map every path is one.
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

// inside is the message whose fields have paths of their own below fd; nil when fd is
// changed as a whole.
func inside(fd protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	m := fd.Message()
	if m == nil || fd.IsList() || fd.IsMap() || m.ParentFile().Package() == "google.protobuf" {
		return nil
	}
	return m
}

// isOutputOnly says whether a client's value of the field counts for nothing: the server
// sets it, or it names the site.
func isOutputOnly(fd protoreflect.FieldDescriptor) bool {
	behavior, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(behavior, annotations.FieldBehavior_OUTPUT_ONLY) ||
		slices.Contains(behavior, annotations.FieldBehavior_IDENTIFIER)
}
