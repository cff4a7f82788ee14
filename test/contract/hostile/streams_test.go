package hostile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

const assign = "/jetmon.coordinator.v1.AssignmentService/StreamAssignments"

// greeting is a Hello that is well formed, of a node of its own.
func greeting(node string) *coordinatorv1.StreamAssignmentsRequest {
	return &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{
		Hello: &coordinatorv1.Hello{Node: node, InstanceId: "1", Region: "eu", MaxInFlight: 10, ProtocolVersion: 1},
	}}
}

// absurd is a beginning that no checker makes, with the field for which it is refused.
type absurd struct {
	want    string
	message *coordinatorv1.StreamAssignmentsRequest
}

func absurdities() []absurd {
	hello := func(edit func(*coordinatorv1.Hello)) *coordinatorv1.StreamAssignmentsRequest {
		m := greeting("absurd")
		edit(m.GetHello())
		return m
	}
	long := strings.Repeat("x", 129)
	policy := func(allowed ...string) func(*coordinatorv1.Hello) {
		return func(h *coordinatorv1.Hello) { h.AddressPolicy = &coordinatorv1.AddressPolicy{Allowed: allowed} }
	}
	return []absurd{
		{"hello", &coordinatorv1.StreamAssignmentsRequest{}},
		{"hello", &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Credit{Credit: &coordinatorv1.Credit{Add: 1}}}},
		{"hello", &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Leaving{Leaving: &coordinatorv1.Leaving{}}}},
		{"hello", &coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Results{Results: &coordinatorv1.Results{}}}},
		{"hello.node", hello(func(h *coordinatorv1.Hello) { h.Node = "" })},
		{"hello.node", hello(func(h *coordinatorv1.Hello) { h.Node = long })},
		{"hello.instance_id", hello(func(h *coordinatorv1.Hello) { h.InstanceId = "" })},
		{"hello.instance_id", hello(func(h *coordinatorv1.Hello) { h.InstanceId = long })},
		{"hello.region", hello(func(h *coordinatorv1.Hello) { h.Region = long })},
		{"hello.max_in_flight", hello(func(h *coordinatorv1.Hello) { h.MaxInFlight = 0 })},
		{"hello.max_in_flight", hello(func(h *coordinatorv1.Hello) { h.MaxInFlight = 1 << 31 })},
		{"hello.address_policy", hello(policy("everything"))},
		{"hello.address_policy", hello(policy(make([]string, 65)...))},
		{"version", hello(func(h *coordinatorv1.Hello) { h.ProtocolVersion = 4_000_000_000 })},
		{"hello.max_protocol_version", hello(func(h *coordinatorv1.Hello) { h.MinProtocolVersion, h.MaxProtocolVersion = 9, 8 })},
	}
}

// streams lists streams whose first message, or one after a good Hello, is at fault.
func streams(t *testing.T) []bad {
	t.Helper()
	var all []bad
	good := func() []byte {
		message, err := proto.Marshal(greeting("bad-" + strconv.Itoa(len(all))))
		if err != nil {
			t.Fatal(err)
		}
		return message
	}
	for i, begin := range absurdities() {
		first, err := proto.Marshal(begin.message)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, bad{name: fmt.Sprintf("bad beginning %d", i), ending: inWords, want: begin.want,
			request: request{path: assign, data: [][]byte{framed(first)}}})
	}
	for _, b := range broken() {
		if b.ending == inWords && b.want == "is no jetmon." {
			message := b.request.data[0]
			b.request = request{path: assign, data: [][]byte{framed(message)}}
			all = append(all, b)
			b.name += ", after Hello"
			b.request = request{path: assign, data: [][]byte{framed(good()), framed(message)}}
			all = append(all, b)
		}
	}
	for _, p := range places(new(coordinatorv1.StreamAssignmentsRequest).ProtoReflect().Descriptor(), nil, false) {
		for _, b := range p.spoilt() {
			if b.ending == inWords && b.name != p.String()+" is no UTF-8" && b.name != p.String()+" is no message" {
				b.ending = harmless // a batch that is at fault ends no session
			}
			b.request.path = assign
			if inHello(p) {
				b.request.data = [][]byte{framed(append(good(), b.request.data[0]...))}
			} else {
				b.request.data = [][]byte{framed(good()), framed(b.request.data[0])}
			}
			all = append(all, b)
		}
	}
	for _, n := range []int{maxMessage + 1, 10 << 20} {
		all = append(all, bad{name: fmt.Sprintf("%d bytes after Hello", n), ending: inWords, want: "larger than max",
			request: request{path: assign, data: [][]byte{framed(good()), framed(make([]byte, n))}}})
	}
	all = append(all, bad{name: "a second Hello", ending: inWords, want: "hello",
		request: request{path: assign, data: [][]byte{framed(good()), framed(good())}}})
	return all
}

// inHello reports whether a place lies in Hello.
func inHello(p place) bool {
	isHello := func(fd protoreflect.FieldDescriptor) bool { return fd.Name() == "hello" }
	return slices.ContainsFunc(p.way, isHello)
}

func TestBadStreams(t *testing.T) {
	w := open(t)
	o := w.watch(t)
	before := heap()
	w.refuses(t, w.coordinator, streams(t), heads(assign, nil))
	o.stop()
	const slack = 16 << 20
	if after := heap(); after > before+slack {
		t.Errorf("%d bytes in use before, %d after", before, after)
	}
	t.Logf("%d calls of others", o.calls.Load())
}
