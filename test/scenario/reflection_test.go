package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/Automattic/jetmon/test/fakesite"
)

// grpcurl does what the tool of this name does: it knows only what the server's reflection
// reports.
type grpcurl struct {
	t      *testing.T
	conn   *grpc.ClientConn
	stream grpc.BidiStreamingClient[reflectionpb.ServerReflectionRequest, reflectionpb.ServerReflectionResponse]
}

func newGRPCurl(t *testing.T, addr string) *grpcurl {
	t.Helper()
	g := &grpcurl{t: t, conn: dial(t, addr)}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	var err error
	g.stream, err = reflectionpb.NewServerReflectionClient(g.conn).ServerReflectionInfo(ctx, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = g.stream.CloseSend()
		if _, err := g.stream.Recv(); !errors.Is(err, io.EOF) && ctx.Err() == nil {
			t.Errorf("reflection ends with %v", err)
		}
	})
	return g
}

func (g *grpcurl) ask(r *reflectionpb.ServerReflectionRequest) *reflectionpb.ServerReflectionResponse {
	g.t.Helper()
	if err := g.stream.Send(r); err != nil {
		g.t.Fatal(err)
	}
	answer, err := g.stream.Recv()
	if err != nil {
		g.t.Fatal(err)
	}
	if e := answer.GetErrorResponse(); e != nil {
		g.t.Fatalf("reflection refuses: %s", e.GetErrorMessage())
	}
	return answer
}

// list does `grpcurl ADDR list`.
func (g *grpcurl) list() []string {
	g.t.Helper()
	answer := g.ask(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	var names []string
	for _, s := range answer.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	return names
}

// method finds a method's types.
func (g *grpcurl) method(service, name string) protoreflect.MethodDescriptor {
	g.t.Helper()
	set := &descriptorpb.FileDescriptorSet{}
	known := map[string]bool{}
	add := func(answer *reflectionpb.ServerReflectionResponse) {
		for _, raw := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
			f := &descriptorpb.FileDescriptorProto{}
			if err := proto.Unmarshal(raw, f); err != nil {
				g.t.Fatal(err)
			}
			if !known[f.GetName()] {
				known[f.GetName()] = true
				set.File = append(set.File, f)
			}
		}
	}
	add(g.ask(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service},
	}))
	for i := 0; i < len(set.File); i++ { // grows
		for _, name := range set.File[i].GetDependency() {
			if !known[name] {
				add(g.ask(&reflectionpb.ServerReflectionRequest{
					MessageRequest: &reflectionpb.ServerReflectionRequest_FileByFilename{FileByFilename: name},
				}))
			}
		}
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		g.t.Fatal(err)
	}
	d, err := files.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		g.t.Fatal(err)
	}
	m := d.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(name))
	if m == nil {
		g.t.Fatalf("%s has no method %s", service, name)
	}
	return m
}

// call does `grpcurl -d JSON ADDR SERVICE/METHOD`.
func (g *grpcurl) call(service, name, request string) (string, error) {
	g.t.Helper()
	m := g.method(service, name)
	in, out := dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
	if err := protojson.Unmarshal([]byte(request), in); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	if err := g.conn.Invoke(ctx, fmt.Sprintf("/%s/%s", service, name), in, out); err != nil {
		return "", err
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(out)
	// protojson puts blanks where it likes.
	return strings.ReplaceAll(string(text), " ", ""), err
}

const verify = "jetmon.veriflier.v1.VeriflierService"

// The README's request, to the letter.
const readmeRequest = `{"request_id":"x","target":{"url":"https://example.com/"}}`

func TestVeriflierAnswersByReflection(t *testing.T) {
	t.Parallel()
	takePlace(t)
	// A name server of ours keeps the question on this machine.
	names := fakesite.NewDNS(t)
	h := &roles{running: newRunning()}
	h.run(t, veriflier1, `msg=started.* role=veriflier.* address=(\S+)`, "veriflier", "--resolver="+names.Addr(), "--allow-private", "--region=moon")
	g := newGRPCurl(t, h.veriflierAddr())
	answersVerify(t, g)
	text, err := g.call(verify, "Verify", readmeRequest)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"request_id":"x"`, `"region":"moon"`, `"OUTCOME_DOWN"`, `"FAILURE_KIND_DNS"`, `"nxdomain"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the answer to %s lacks %s: %s", readmeRequest, want, text)
		}
	}
}

func TestDevAnswersByReflection(t *testing.T) {
	t.Parallel()
	s := begin(t, asDev(), setup{})
	answersVerify(t, newGRPCurl(t, s.veriflierAddr()))
	g := newGRPCurl(t, s.coordinatorAddr())
	for _, want := range []string{"jetmon.monitor.v1.SiteService", "jetmon.monitor.v1.FleetService", "grpc.health.v1.Health"} {
		if got := g.list(); !slices.Contains(got, want) {
			t.Errorf("the coordinator lists %v, not %s", got, want)
		}
	}
	text, err := g.call("jetmon.monitor.v1.SiteService", "ListSites", `{}`)
	if err != nil || !strings.Contains(text, `"url":"http://127.0.0.1`) {
		t.Errorf("ListSites answers %s %v, want a site", text, err)
	}
}

// answersVerify asks about sites that are up and down, and sends invalid requests.
func answersVerify(t *testing.T, g *grpcurl) {
	t.Helper()
	if got := g.list(); !slices.Contains(got, verify) {
		t.Errorf("the services are %v, want %s among them", got, verify)
	}
	up, down := fakesite.New(t), fakesite.New(t)
	down.SetStatus(500)
	for url, want := range map[string]string{up.URL(): `"OUTCOME_UP"`, down.URL(): `"FAILURE_KIND_SERVER"`} {
		text, err := g.call(verify, "Verify", fmt.Sprintf(`{"request_id":%q,"target":{"url":%q}}`, url, url))
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("Verify of %s answers %s %v, want %s", url, text, err, want)
		}
	}
	for request, want := range map[string]string{
		`{"target":{"url":"http://example.com/"}}`:                         "request_id",
		`{"request_id":"y"}`:                                               "target",
		`{"request_id":"y","target":{"url":"http://example.com:99999/"}}`:  "target.url",
		`{"request_id":"y","target":{"url":"file:///etc/passwd"}}`:         "target.url",
		`{"request_id":"a b","target":{"url":"http://example.com:99999"}}`: "request_id",
	} {
		_, err := g.call(verify, "Verify", request)
		if s := status.Convert(err); s.Code() != codes.InvalidArgument || !strings.Contains(s.Message(), want) {
			t.Errorf("Verify of %s: %v, want InvalidArgument that names %s", request, err, want)
		}
	}
}
