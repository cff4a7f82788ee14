package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// route is the HTTP binding of one RPC, from google.api.http in the protos.
type route struct {
	method   string
	template string
	segments []segment
	verb     string // the part after the colon at the end of the path; "" is none
	service  protoreflect.FullName
	input    protoreflect.MessageDescriptor
	body     protoreflect.FieldDescriptor // the field in the body; nil means no body
	// stream passes on the rows of an import or export; nil means that the RPC is no stream.
	stream streamer
}

// timeout limits the time of a call: a check of a site may take long.
func (r *route) timeout() time.Duration {
	if r.verb == "check" {
		return checkTimeout
	}
	return callTimeout
}

// segment is a segment of a path: a literal, or the field that it binds.
type segment struct {
	literal string
	field   string // path of the field inside the input, as site.site_id
}

// routesOf reads the bindings of services.
func routesOf(services []service) ([]*route, error) {
	var routes []*route
	for _, s := range services {
		for i := range s.file.Services().Len() {
			methods := s.file.Services().Get(i).Methods()
			for j := range methods.Len() {
				m := methods.Get(j)
				r, err := newRoute(m)
				if err != nil {
					return nil, fmt.Errorf("HTTP binding of %s: %w", m.FullName(), err)
				}
				routes = append(routes, r)
			}
		}
	}
	return routes, nil
}

func newRoute(m protoreflect.MethodDescriptor) (*route, error) {
	rule, ok := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
	switch {
	case !ok || rule == nil:
		return nil, fmt.Errorf("there is none")
	case len(rule.GetAdditionalBindings()) > 0 || (rule.GetBody() == "*") != m.IsStreamingClient():
		return nil, fmt.Errorf("additional bindings are not supported, and body \"*\" is for the messages of a stream")
	}
	r := &route{service: m.Parent().FullName(), input: m.Input()}
	if r.stream = streamerOf(m.FullName()); r.stream == nil && (m.IsStreamingClient() || m.IsStreamingServer()) {
		return nil, fmt.Errorf("there is no code for this stream")
	}
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		r.method, r.template = http.MethodGet, p.Get
	case *annotations.HttpRule_Post:
		r.method, r.template = http.MethodPost, p.Post
	case *annotations.HttpRule_Put:
		r.method, r.template = http.MethodPut, p.Put
	case *annotations.HttpRule_Patch:
		r.method, r.template = http.MethodPatch, p.Patch
	case *annotations.HttpRule_Delete:
		r.method, r.template = http.MethodDelete, p.Delete
	default:
		return nil, fmt.Errorf("pattern %T is not supported", p)
	}
	if name := rule.GetBody(); name != "" && name != "*" {
		r.body = r.input.Fields().ByName(protoreflect.Name(name))
		if r.body == nil || r.body.Message() == nil || r.body.IsList() || r.body.IsMap() {
			return nil, fmt.Errorf("body %q is not a message of %s", name, r.input.FullName())
		}
	}
	return r, r.parse()
}

// parse parses a template such as "/v1/sites/{site_id}:check".
func (r *route) parse() error {
	path, ok := strings.CutPrefix(r.template, "/")
	if !ok {
		return fmt.Errorf("template %q does not begin with /", r.template)
	}
	path, r.verb, _ = strings.Cut(path, ":")
	for part := range strings.SplitSeq(path, "/") {
		if !strings.HasPrefix(part, "{") {
			r.segments = append(r.segments, segment{literal: part})
			continue
		}
		name := strings.TrimSuffix(part[1:], "}")
		if strings.ContainsAny(name, "{}=*") || findField(r.input, name) == nil {
			return fmt.Errorf("template %q: %s binds no field of %s", r.template, part, r.input.FullName())
		}
		r.segments = append(r.segments, segment{field: name})
	}
	return nil
}

// match reports whether the parts of a path, still in their percent-encoding, match the route,
// and returns the text bound to each field. What is encoded is part of a text, never a slash or
// a colon of the template.
func (r *route) match(parts []string) (map[string]string, bool) {
	if len(parts) != len(r.segments) {
		return nil, false
	}
	last := parts[len(parts)-1]
	if r.verb != "" {
		var ok bool
		if last, ok = strings.CutSuffix(last, r.verb); !ok {
			return nil, false
		}
		if last, ok = strings.CutSuffix(last, ":"); !ok {
			return nil, false
		}
	}
	part := func(i int) string {
		if i == len(parts)-1 {
			return last
		}
		return parts[i]
	}
	for i, s := range r.segments {
		if s.field == "" && s.literal != part(i) {
			return nil, false
		}
	}
	bound := map[string]string{}
	for i, s := range r.segments {
		if s.field == "" {
			continue
		}
		text, err := url.PathUnescape(part(i))
		if err != nil || text == "" {
			return nil, false
		}
		bound[s.field] = text
	}
	return bound, true
}

// find returns the route of a request. When there is none, it returns the methods of the
// path, or none for an unknown path.
func find(routes []*route, method, path string) (*route, map[string]string, []string) {
	var others []string
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	// Paths with a verb win: a path without one would take the verb as part of a name.
	for _, verb := range []bool{true, false} {
		for _, r := range routes {
			if (r.verb != "") != verb {
				continue
			}
			bound, ok := r.match(parts)
			switch {
			case ok && r.method == method:
				return r, bound, nil
			case ok:
				others = append(others, r.method)
			}
		}
		if len(others) > 0 {
			break
		}
	}
	return nil, nil, others
}

// allow returns the value of the Allow header for methods.
func allow(methods []string) string {
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	slices.Sort(methods)
	return strings.Join(slices.Compact(methods), ", ")
}

// findField follows a dotted path of names, from the proto or from JSON, starting at m.
func findField(m protoreflect.MessageDescriptor, path string) protoreflect.FieldDescriptor {
	var fd protoreflect.FieldDescriptor
	for name := range strings.SplitSeq(path, ".") {
		if m == nil {
			return nil
		}
		if fd = fieldNamed(m, name); fd == nil {
			return nil
		}
		m = fd.Message()
		if fd.IsList() || fd.IsMap() {
			m = nil
		}
	}
	return fd
}

func fieldNamed(m protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if fd := m.Fields().ByName(protoreflect.Name(name)); fd != nil {
		return fd
	}
	return m.Fields().ByJSONName(name)
}
