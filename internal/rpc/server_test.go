package rpc_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestAnEndThatComesBeforeTheBeginningIsOrderly(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		l, err := rpc.NewMemory().Listen("server")
		if err != nil {
			t.Fatal(err)
		}
		s, err := rpc.NewServer(rpc.ServerOptions{Access: rpc.Open()}, func(grpc.ServiceRegistrar) {})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Serve(ctx, l); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Accept(); err == nil {
			t.Fatal("the listener is still open")
		}
	}
}

// TestReflectionDescribesEveryServiceCompletely asks as grpcurl does for `list` and for a
// call: for the names of services, then for the files that describe one, with all imports.
func TestReflectionDescribesEveryServiceCompletely(t *testing.T) {
	t.Parallel()
	r := run(t, &service{}, rpc.ServerOptions{}, rpc.ClientOptions{})
	stream, err := reflectionpb.NewServerReflectionClient(r).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(q *reflectionpb.ServerReflectionRequest) *reflectionpb.ServerReflectionResponse {
		if err := stream.Send(q); err != nil {
			t.Fatal(err)
		}
		a, err := stream.Recv()
		if err != nil || a.GetErrorResponse() != nil {
			t.Fatal(err, a.GetErrorResponse())
		}
		return a
	}
	list := ask(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{},
	}).GetListServicesResponse().GetService()
	files := map[string]*descriptorpb.FileDescriptorProto{}
	names := map[string]bool{}
	for _, s := range list {
		names[s.GetName()] = true
		answer := ask(&reflectionpb.ServerReflectionRequest{
			MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: s.GetName()},
		})
		for _, raw := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
			f := new(descriptorpb.FileDescriptorProto)
			if err := proto.Unmarshal(raw, f); err != nil {
				t.Fatal(err)
			}
			files[f.GetName()] = f
		}
	}
	for _, want := range []string{
		"jetmon.veriflier.v1.VeriflierService", "grpc.health.v1.Health",
		"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
	} {
		if !names[want] {
			t.Errorf("%s is not listed in %v", want, names)
		}
	}
	all, err := protodesc.NewFiles(&descriptorpb.FileDescriptorSet{File: slices.Collect(maps.Values(files))})
	if err != nil {
		t.Fatalf("the files do not stand alone: %v", err)
	}
	if _, err := all.FindDescriptorByName("jetmon.check.v1.Target.url"); err != nil {
		t.Error(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	// Older grpcurls use the previous version, whose messages are the same on the wire.
	old, err := r.NewStream(t.Context(), &reflectionpb.ServerReflection_ServiceDesc.Streams[0],
		"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
	if err != nil {
		t.Fatal(err)
	}
	if err := old.SendMsg(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{},
	}); err != nil {
		t.Fatal(err)
	}
	a := new(reflectionpb.ServerReflectionResponse)
	if err := old.RecvMsg(a); err != nil || len(a.GetListServicesResponse().GetService()) != len(list) {
		t.Errorf("v1alpha lists %v, %v", a, err)
	}
}

func TestErrorsOfHandlersReachTheCallerAsStatuses(t *testing.T) {
	t.Parallel()
	const secret = "db.example:3306"
	for name, c := range map[string]struct {
		err     error
		code    codes.Code
		message string
	}{
		"a fault":                  {fault.New(fault.NotFound, "no site 7"), codes.NotFound, "no site 7"},
		"a status":                 {status.Error(codes.OutOfRange, "far"), codes.OutOfRange, "far"},
		"a deadline that passed":   {context.DeadlineExceeded, codes.DeadlineExceeded, "context deadline exceeded"},
		"text that is not UTF-8":   {fault.New(fault.Invalid, "\xff"), codes.InvalidArgument, "\uFFFD"},
		"an error without a class": {errors.New(secret), codes.Internal, "internal error"},
		"our own fault":            {fault.New(fault.Internal, secret), codes.Internal, "internal error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log lines
			s := &service{verify: func(context.Context, *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
				return nil, c.err
			}}
			_, err := run(t, s, rpc.ServerOptions{Log: log.logger()}, rpc.ClientOptions{}).verify(t.Context())
			got := status.Convert(err)
			if got.Code() != c.code || !strings.HasPrefix(got.Message(), c.message) || strings.Contains(got.Message(), secret) {
				t.Errorf("caller reads %v %q, want %v %q", got.Code(), got.Message(), c.code, c.message)
			}
			if c.code == codes.Internal {
				reference := got.Message()[strings.LastIndex(got.Message(), " ")+1:]
				if !strings.Contains(log.String(), reference) || !strings.Contains(log.String(), secret) {
					t.Errorf("the log does not say what reference %s was:\n%s", reference, log.String())
				}
			}
		})
	}
}

func TestAPanicIsOneFailedCallAndALogLine(t *testing.T) {
	t.Parallel()
	var log lines
	var calls int
	s := &service{
		verify: func(context.Context, *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
			if calls++; calls == 1 {
				panic("nil map")
			}
			return &veriflierv1.VerifyResponse{}, nil
		},
		stream: func(coordinatorv1.AssignmentService_StreamAssignmentsServer) error { panic("nil stream") },
	}
	r := run(t, s, rpc.ServerOptions{Log: log.logger()}, rpc.ClientOptions{})
	if _, err := r.verify(t.Context()); status.Code(err) != codes.Internal {
		t.Errorf("first call: %v", err)
	}
	if _, err := r.verify(t.Context()); err != nil {
		t.Errorf("second call: %v", err)
	}
	stream, err := coordinatorv1.NewAssignmentServiceClient(r).StreamAssignments(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Internal {
		t.Errorf("stream: %v", err)
	}
	for _, want := range []string{"nil map", "nil stream", "server_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, log.String())
		}
	}
}

func TestValidationNamesEveryFieldAtFault(t *testing.T) {
	t.Parallel()
	r := run(t, &service{}, rpc.ServerOptions{Validate: true}, rpc.ClientOptions{})
	_, err := r.verify(t.Context())
	if err != nil {
		t.Fatalf("a good request: %v", err)
	}
	_, err = monitorv1.NewSiteServiceClient(r).CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{
		Url:           "http://127.0.0.1/" + strings.Repeat("x", 300),
		CheckInterval: durationpb.New(-time.Second),
		Settings:      &monitorv1.CheckSettings{RequiredTexts: []string{"a", ""}},
	}})
	s := status.Convert(err)
	if s.Code() != codes.InvalidArgument || len(s.Details()) != 2 {
		t.Fatalf("got %v %v", err, s.Details())
	}
	bad, ok := s.Details()[0].(*errdetails.BadRequest)
	if !ok {
		t.Fatalf("detail is %T", s.Details()[0])
	}
	var fields []string
	for _, v := range bad.GetFieldViolations() {
		fields = append(fields, v.GetField())
		if v.GetDescription() == "" || !strings.Contains(s.Message(), v.GetField()+": "+v.GetDescription()) {
			t.Errorf("violation %v is not in the message %q", v, s.Message())
		}
	}
	slices.Sort(fields)
	if want := []string{"site.check_interval", "site.settings.required_texts[1]", "site.url"}; !slices.Equal(fields, want) {
		t.Errorf("fields at fault: %q, want %q", fields, want)
	}
	off := run(t, &service{}, rpc.ServerOptions{}, rpc.ClientOptions{})
	if _, err := monitorv1.NewSiteServiceClient(off).CreateSite(t.Context(), &monitorv1.CreateSiteRequest{}); err != nil {
		t.Errorf("without Validate: %v", err)
	}
}

func TestHandlersEndBeforeTheirCallersGiveUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ given, left time.Duration }{
		"a twentieth of a short deadline":      {time.Second, 950 * time.Millisecond},
		"at most 200 ms of a long one":         {time.Minute, 59800 * time.Millisecond},
		"30 s when the caller does not say so": {0, rpc.DefaultDeadline},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := context.Background()
				if c.given > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.given)
					defer cancel()
				}
				called := false
				_, err := rpc.ShaveDeadline(ctx, nil, nil, func(ctx context.Context, _ any) (any, error) {
					called = true
					deadline, ok := ctx.Deadline()
					if left := time.Until(deadline); !ok || left != c.left {
						t.Errorf("the handler has %v left, want %v", left, c.left)
					}
					return nil, nil
				})
				if err != nil || !called {
					t.Error(err, called)
				}
			})
		})
	}
}

func TestACallWithoutADeadlineGetsOneOnBothSides(t *testing.T) {
	t.Parallel()
	left := make(chan time.Duration, 1)
	s := &service{verify: func(ctx context.Context, _ *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		deadline, ok := ctx.Deadline()
		if !ok {
			t.Error("no deadline")
		}
		left <- time.Until(deadline)
		return &veriflierv1.VerifyResponse{}, nil
	}}
	if _, err := run(t, s, rpc.ServerOptions{}, rpc.ClientOptions{}).verify(context.Background()); err != nil {
		t.Fatal(err)
	}
	// The client's 30 s are shaved: the server's own default would be the full 30 s.
	if got := <-left; got > rpc.DefaultDeadline-100*time.Millisecond || got < rpc.DefaultDeadline-5*time.Second {
		t.Errorf("the handler has %v left", got)
	}
}

func TestARequestThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	r := run(t, &service{}, rpc.ServerOptions{}, rpc.ClientOptions{})
	q := question()
	q.RequestId = strings.Repeat("x", 5<<20)
	_, err := veriflierv1.NewVeriflierServiceClient(r).Verify(t.Context(), q)
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("got %v", err)
	}
}

func TestCallsAreCountedByMethodAndCode(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	s := &service{
		verify: func(context.Context, *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
			return nil, fault.New(fault.Exhausted, "full")
		},
		stream: func(coordinatorv1.AssignmentService_StreamAssignmentsServer) error { return nil },
	}
	// Two servers and two clients share a registry, as in `jetmon dev`.
	for range 2 {
		r := run(t, s, rpc.ServerOptions{Metrics: reg}, rpc.ClientOptions{Metrics: reg})
		_, _ = r.verify(t.Context())
		stream, err := coordinatorv1.NewAssignmentServiceClient(r).StreamAssignments(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		r.stop()
		if err := r.ended(); err != nil {
			t.Fatal(err)
		}
	}
	const stream, unary = "/jetmon.coordinator.v1.AssignmentService/StreamAssignments", "/jetmon.veriflier.v1.VeriflierService/Verify"
	want := map[string]float64{
		"jetmon_rpc_client_calls_total code=OK method=" + stream:                                2,
		"jetmon_rpc_client_calls_total code=ResourceExhausted method=" + unary:                  2,
		"jetmon_rpc_server_calls_total code=OK method=" + stream + " server=test":               2,
		"jetmon_rpc_server_calls_total code=ResourceExhausted method=" + unary + " server=test": 2,
		"jetmon_rpc_server_in_flight method=" + stream + " server=test":                         0,
		"jetmon_rpc_server_in_flight method=" + unary + " server=test":                          0,
		"jetmon_rpc_server_seconds method=" + stream + " server=test":                           2,
		"jetmon_rpc_server_seconds method=" + unary + " server=test":                            2,
	}
	if got := gather(t, reg); !maps.Equal(got, want) {
		t.Errorf("metrics are %v, want %v", got, want)
	}
}

// gather reads every series as "name label=value ...", with its value or its number of
// observations.
func gather(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += " " + l.GetName() + "=" + l.GetValue()
			}
			values[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

var _ grpc.ClientConnInterface = (*running)(nil)
