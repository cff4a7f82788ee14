package rpc_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// trailers calls a method with a plain HTTP/2 client, and answers what of the response is
// headers, and how many bytes that is before compression.
func (r *running) trailers(t *testing.T, method string, body []byte, header ...string) (all http.Header, size int) {
	t.Helper()
	transport := &http.Transport{
		Protocols:   new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return r.network.DialContext(ctx, address) },
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://server"+method, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	all = http.Header{}
	for _, part := range []http.Header{resp.Header, resp.Trailer} {
		for name, values := range part {
			for _, v := range values {
				all.Add(name, v)
				size += len(name) + len(v) + 32 // as RFC 9113 counts
			}
		}
	}
	return all, size
}

// framed puts gRPC's prefix before a message.
func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// read decodes the status in trailers.
func read(t *testing.T, trailers http.Header) *spb.Status {
	t.Helper()
	message, err := url.PathUnescape(trailers.Get("Grpc-Message"))
	if err != nil {
		t.Error(err)
	}
	p := &spb.Status{Message: message}
	if _, err := fmt.Sscan(trailers.Get("Grpc-Status"), &p.Code); err != nil {
		t.Fatalf("no status in %v", trailers)
	}
	if packed := trailers.Get("Grpc-Status-Details-Bin"); packed != "" {
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(packed, "="))
		if err == nil {
			err = proto.Unmarshal(raw, p)
		}
		if err != nil {
			t.Errorf("details: %v", err)
		}
	}
	return p
}

func violations(n int, field, text string) *errdetails.BadRequest {
	bad := new(errdetails.BadRequest)
	for range n {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: field, Description: text, Reason: text})
	}
	return bad
}

func TestNoErrorIsLongerThanClientsRead(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	for name, err := range map[string]error{
		"a long message":                   fault.New(fault.Invalid, "%s", long),
		"a long message in another tongue": fault.New(fault.NotFound, "%s", strings.Repeat("ж", 50_000)),
		"a long message of control bytes":  fault.New(fault.Invalid, "%s", strings.Repeat("\x01%\n", 50_000)),
		"a status that is no fault":        status.Error(codes.FailedPrecondition, long),
		"a long field":                     fault.InvalidField(long, "%s", long),
		"many violations":                  fault.New(fault.Invalid, "x").With(violations(100_000, "f", "d")),
		"many long violations":             fault.New(fault.Invalid, "x").With(violations(20, long, long)),
		"ten long ones in another tongue":  fault.New(fault.Invalid, "%s", strings.Repeat("ж", 500)).With(violations(10, strings.Repeat("ж", 200), strings.Repeat("ж", 1000))),
		"many details":                     fault.New(fault.Exhausted, "x").With(manyDetails(500, "x")...),
		"a long detail":                    fault.New(fault.Exhausted, "x").With(manyDetails(1, long)...),
		"our own fault":                    fault.New(fault.Internal, "%s", long),
		"an error of no class":             fmt.Errorf("%s", long),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &service{
				verify: func(context.Context, *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
					return nil, err
				},
				stream: func(coordinatorv1.AssignmentService_StreamAssignmentsServer) error { return err },
			}
			r := run(t, s, rpc.ServerOptions{}, rpc.ClientOptions{})
			for _, method := range []string{veriflierv1.VeriflierService_Verify_FullMethodName, coordinatorv1.AssignmentService_StreamAssignments_FullMethodName} {
				trailers, size := r.trailers(t, method, framed(nil))
				p := read(t, trailers)
				want := status.Code(err)
				if want == codes.Unknown {
					want = codes.Internal
				}
				if size > 8<<10 || codes.Code(p.GetCode()) != want || p.GetMessage() == "" || !utf8.ValidString(p.GetMessage()) {
					t.Errorf("%s: %d bytes of headers, %v", method, size, p)
				}
				for _, d := range p.GetDetails() {
					if bad := new(errdetails.BadRequest); d.UnmarshalTo(bad) == nil && (len(bad.GetFieldViolations()) > 10 || len(bad.GetFieldViolations()) == 0) {
						t.Errorf("%s: %d violations", method, len(bad.GetFieldViolations()))
					}
				}
			}
		})
	}
}

func manyDetails(n int, text string) (out []proto.Message) {
	for i := range n {
		out = append(out, &errdetails.ErrorInfo{Reason: "R", Domain: text, Metadata: map[string]string{"n": fmt.Sprint(i)}})
	}
	return out
}

func TestAShortErrorIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	want := fault.New(fault.Invalid, "a: b; c: %%d é").With(violations(10, "a", "b"), &errdetails.ErrorInfo{Reason: "R"})
	s := &service{verify: func(context.Context, *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		return nil, want
	}}
	trailers, _ := run(t, s, rpc.ServerOptions{}, rpc.ClientOptions{}).trailers(t, veriflierv1.VeriflierService_Verify_FullMethodName, framed(nil))
	got := read(t, trailers)
	if last := len(got.GetDetails()) - 1; last < 0 || !rpc.IsNamed(status.FromProto(got)) {
		t.Fatalf("the request has no name: %v", got)
	} else {
		got.Details = got.GetDetails()[:last]
	}
	if !proto.Equal(got, want.GRPCStatus().Proto()) {
		t.Errorf("got %v, want %v", got, want.GRPCStatus().Proto())
	}
}

func TestOfManyViolationsTheFirstAreNamedAndTheOthersCounted(t *testing.T) {
	t.Parallel()
	r := run(t, &service{}, rpc.ServerOptions{Validate: true}, rpc.ClientOptions{})
	_, err := monitorv1.NewSiteServiceClient(r).BatchGetSites(t.Context(), &monitorv1.BatchGetSitesRequest{SiteIds: make([]int64, 1000)})
	s := status.Convert(err)
	if s.Code() != codes.InvalidArgument || len(s.Details()) != 2 || !strings.HasPrefix(s.Message(), "site_ids[0]: ") || !strings.HasSuffix(s.Message(), "; and 990 more") {
		t.Fatalf("%v %v", err, s.Details())
	}
	if n := len(s.Details()[0].(*errdetails.BadRequest).GetFieldViolations()); n != 10 {
		t.Errorf("%d violations", n)
	}
}

func TestRequestsThatAreTooLargeAreRefusedAndOthersOnTheConnectionGoOn(t *testing.T) {
	t.Parallel()
	r := run(t, &service{}, rpc.ServerOptions{Validate: true}, rpc.ClientOptions{})
	sites := monitorv1.NewSiteServiceClient(r)
	huge := metadata.AppendToOutgoingContext(t.Context(), "x-long", strings.Repeat("x", 1<<20))
	for name, c := range map[string]struct {
		call    func() error
		code    codes.Code
		message string
	}{
		"4 MB of zeros": {func() error {
			_, err := sites.BatchGetSites(t.Context(), &monitorv1.BatchGetSitesRequest{SiteIds: make([]int64, 4_000_000)})
			return err
		}, codes.InvalidArgument, "the request must be at most 131072 bytes, has 4000005"},
		"more than gRPC takes": {func() error {
			_, err := monitorv1.NewSiteServiceClient(r).BatchGetSites(t.Context(), &monitorv1.BatchGetSitesRequest{SiteIds: make([]int64, 4<<20)}, grpc.MaxCallSendMsgSize(1<<30))
			return err
		}, codes.ResourceExhausted, "grpc: received message larger than max"},
		"1001 ids": {func() error {
			_, err := sites.BatchGetSites(t.Context(), &monitorv1.BatchGetSitesRequest{SiteIds: make([]int64, 1001)})
			return err
		}, codes.InvalidArgument, "site_ids: must contain no more than 1000 item(s), has 1001"},
		"100,000 ids": {func() error {
			_, err := sites.BatchGetSites(t.Context(), &monitorv1.BatchGetSitesRequest{SiteIds: make([]int64, 100_000)})
			return err
		}, codes.InvalidArgument, "site_ids: has too many values: a request may have 10000 in all"},
		"a long token": {func() error {
			_, err := sites.ListSites(t.Context(), &monitorv1.ListSitesRequest{PageToken: strings.Repeat("x", 100_000)})
			return err
		}, codes.InvalidArgument, "page_token: "},
		"a long name of a method": {func() error {
			return r.Invoke(t.Context(), "/jetmon.monitor.v1.SiteService/"+strings.Repeat("x", 5000), &monitorv1.GetSiteRequest{}, &monitorv1.GetSiteResponse{})
		}, codes.Unimplemented, "unknown method, with a name of 5031 bytes"},
		"a long malformed one": {func() error {
			return r.Invoke(t.Context(), "/"+strings.Repeat("x", 5000), &monitorv1.GetSiteRequest{}, &monitorv1.GetSiteResponse{})
		}, codes.Unimplemented, "unknown method, with a name of 5001 bytes"},
		"a megabyte of metadata": {func() error {
			_, err := sites.GetSite(huge, &monitorv1.GetSiteRequest{SiteId: 1})
			return err
		}, codes.Internal, ""},
		"a message that is none": {func() error {
			return r.Invoke(t.Context(), monitorv1.SiteService_GetSite_FullMethodName, &monitorv1.ListSitesRequest{PageToken: "\xff"}, &monitorv1.GetSiteResponse{},
				grpc.ForceCodecV2(raw{}))
		}, codes.InvalidArgument, "the request is no jetmon.monitor.v1.GetSiteRequest: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.call()
			s := status.Convert(err)
			if s.Code() != c.code || !strings.HasPrefix(s.Message(), c.message) || len(s.Message()) > 1024 {
				t.Errorf("%.300v, want %v %q", err, c.code, c.message)
			}
			if _, err := r.verify(t.Context()); err != nil {
				t.Errorf("somebody else's call on the connection: %v", err)
			}
		})
	}
}

func TestACallerIsKnownBeforeItsRequestIsDecoded(t *testing.T) {
	t.Parallel()
	r := run(t, &service{}, rpc.ServerOptions{Validate: true, Access: onlyFor("coordinator", secret)}, rpc.ClientOptions{})
	for _, n := range []int{1, 4_000_000} {
		_, err := monitorv1.NewSiteServiceClient(r).BatchGetSites(t.Context(), &monitorv1.BatchGetSitesRequest{SiteIds: make([]int64, n)})
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("%d ids: %v", n, err)
		}
	}
}
