package rpc_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestAClientMayCompress(t *testing.T) {
	t.Parallel()
	r := run(t, &service{stream: echo}, rpc.ServerOptions{Validate: true}, rpc.ClientOptions{})
	q := question()
	q.RequestId = strings.Repeat("x", 64)
	got, err := veriflierv1.NewVeriflierServiceClient(r).Verify(t.Context(), q, grpc.UseCompressor("gzip"))
	if err != nil || got.GetRequestId() != q.GetRequestId() {
		t.Errorf("a call: %v %v", got, err)
	}
	st, err := coordinatorv1.NewAssignmentServiceClient(r).StreamAssignments(t.Context(), grpc.UseCompressor("gzip"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := st.Send(&coordinatorv1.StreamAssignmentsRequest{}); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Recv(); err != nil {
			t.Errorf("a stream: %v", err)
		}
	}
}

func echo(s coordinatorv1.AssignmentService_StreamAssignmentsServer) error {
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
		if err := s.Send(&coordinatorv1.StreamAssignmentsResponse{}); err != nil {
			return err
		}
	}
}

// gzipped is a message of gRPC in gzip.
func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return compressedFrame(b.Bytes())
}

// compressedFrame is a frame of gRPC that says that it is compressed.
func compressedFrame(data []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{1}, uint32(len(data))), data...)
}

func TestWhatIsNoGzipIsTheCallersFault(t *testing.T) {
	t.Parallel()
	r := run(t, &service{stream: echo}, rpc.ServerOptions{}, rpc.ClientOptions{})
	good := gzipped(t, []byte("\x0a\x01x"))
	for name, frame := range map[string][]byte{
		"not gzip":                 compressedFrame([]byte("hello")),
		"nothing":                  compressedFrame(nil),
		"cut short":                compressedFrame(good[5 : len(good)-6]),
		"a wrong sum":              compressedFrame(append(bytes.Clone(good[5:len(good)-8]), make([]byte, 8)...)),
		"a bomb":                   gzipped(t, make([]byte, 16<<20)),
		"just too large":           gzipped(t, make([]byte, 128<<10+1)),
		"gzip of what is no proto": gzipped(t, []byte("\x07")),
	} {
		for _, method := range []string{veriflierv1.VeriflierService_Verify_FullMethodName, coordinatorv1.AssignmentService_StreamAssignments_FullMethodName} {
			trailers, _ := r.trailers(t, method, frame, "grpc-encoding", "gzip")
			if s := read(t, trailers); codes.Code(s.GetCode()) != codes.InvalidArgument || s.GetMessage() == "" {
				t.Errorf("%s to %s: %v %s", name, method, codes.Code(s.GetCode()), s.GetMessage())
			}
		}
	}
}

func TestABombTakesLittleMemory(t *testing.T) {
	r := run(t, &service{}, rpc.ServerOptions{}, rpc.ClientOptions{})
	bomb := gzipped(t, make([]byte, 4<<20)) // what gRPC itself would let pass
	const calls = 200
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			r.trailers(t, veriflierv1.VeriflierService_Verify_FullMethodName, bomb, "grpc-encoding", "gzip")
		})
	}
	all.Wait()
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / calls; each > 1<<20 {
		t.Errorf("%d bytes are allocated for a bomb of %d", each, len(bomb))
	}
}

// What gRPC refuses after it was decompressed need not be decompressed: a caller who proves
// nothing may send as much as a checker.
func TestWhatIsLongerThanAnyMessageIsNotDecompressed(t *testing.T) {
	r := run(t, &service{}, rpc.ServerOptions{}, rpc.ClientOptions{})
	// It expands by a little less than 16.
	var message []byte
	for range 1800 {
		for range 2 << 10 {
			message = append(message, byte(rand.Uint32()))
		}
		message = append(message, make([]byte, 22<<10)...)
	}
	long := gzipped(t, message)
	if len(long) > 4<<20 || len(long) < 3<<20 {
		t.Fatalf("%d bytes", len(long))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	trailers, _ := r.trailers(t, veriflierv1.VeriflierService_Verify_FullMethodName, long, "grpc-encoding", "gzip")
	runtime.ReadMemStats(&after)
	if s := read(t, trailers); codes.Code(s.GetCode()) != codes.InvalidArgument {
		t.Errorf("%v %s", codes.Code(s.GetCode()), s.GetMessage())
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("%d bytes are allocated for a message of %d", used, len(long))
	}
}
