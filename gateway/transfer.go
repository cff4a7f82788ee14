package gateway

import (
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/Automattic/jetmon/internal/fault"
)

const gzipCoding = "gzip"

// readBody reads the body of a request, of at most maxBodyBytes before and after it is
// decompressed. Only JSON is read: what a form of another site can send is not.
func readBody(w http.ResponseWriter, req *http.Request) ([]byte, error) {
	coding := strings.ToLower(strings.Join(req.Header.Values("Content-Encoding"), ","))
	if coding != "" && coding != "identity" && coding != gzipCoding {
		w.Header().Set("Accept-Encoding", gzipCoding)
		return nil, &refusal{http.StatusUnsupportedMediaType, fault.InvalidField("Content-Encoding", "must be gzip, or absent").GRPCStatus()}
	}
	kind, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil || kind != jsonType || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return nil, &refusal{http.StatusUnsupportedMediaType, fault.InvalidField("Content-Type", "must be %s", jsonType).GRPCStatus()}
	}
	// MaxBytesReader needs net/http's own writer: only then a client that sends too much can
	// read our answer before the connection closes.
	if wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		w = wrapper.Unwrap()
	}
	data, err := readAll(http.MaxBytesReader(w, req.Body, maxBodyBytes), coding == gzipCoding)
	if err != nil {
		return nil, unreadable(err)
	}
	return data, nil
}

// errTooLarge means that a body expands to more than maxBodyBytes.
var errTooLarge = errors.New("the body is too large when it is decompressed")

func readAll(body io.Reader, compressed bool) ([]byte, error) {
	if !compressed {
		return io.ReadAll(body)
	}
	r, err := gzip.NewReader(body)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxBodyBytes+1))
	if err == nil && len(data) > maxBodyBytes {
		return nil, errTooLarge
	}
	return data, err
}

// unreadable returns the refusal of a body that could not be read. The error itself may
// contain addresses and is for nobody.
func unreadable(err error) error {
	_, long := errors.AsType[*http.MaxBytesError](err)
	switch {
	case long || errors.Is(err, errTooLarge):
		return &refusal{http.StatusRequestEntityTooLarge, fault.InvalidField("body", "must be at most %d bytes", maxBodyBytes).GRPCStatus()}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{http.StatusRequestTimeout, fault.InvalidField("body", "must arrive within %s", readTimeout).GRPCStatus()}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return fault.InvalidField("body", "is not gzip, as Content-Encoding says")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.InvalidField("body", "ends too early")
	}
	return fault.InvalidField("body", "is malformed")
}

// checkNoBody refuses a body where none is needed, unless it is an empty JSON object.
func checkNoBody(w http.ResponseWriter, req *http.Request) error {
	if req.ContentLength == 0 {
		return nil
	}
	data, err := readBody(w, req)
	if err != nil || len(data) == 0 {
		return err
	}
	return checkBody(data, nothing())
}

// nothing is the message of a body that has no fields.
func nothing() protoreflect.MessageDescriptor { return (&emptypb.Empty{}).ProtoReflect().Descriptor() }

// zipped compresses an answer when it is worth it and the client wants it. There is no
// secret in an answer that another site's page could guess byte by byte from its size
// (BREACH): another site's page cannot make a browser send our tokens (session.go).
type zipped struct {
	pool *sync.Pool // of *gzip.Writer
	z    *gzip.Writer
	// streams means that the answer is long, however long.
	streams bool
}

// minZip is from how many bytes on compressing an answer is worth it.
const minZip = 1 << 10

// begin changes the header of an answer that is going to be compressed, and says whether
// it is.
func (z *zipped) begin(h http.Header) bool {
	n, err := strconv.Atoi(h.Get("Content-Length"))
	worth := z.streams || err == nil && n >= minZip
	if z.pool == nil || !worth || h.Get("Content-Encoding") != "" {
		return false
	}
	h.Del("Content-Length")
	h.Set("Content-Encoding", gzipCoding)
	if tag := h.Get("ETag"); tag != "" {
		h.Set("ETag", zippedTag(tag))
	}
	return true
}

// to returns where the answer is written.
func (z *zipped) to(w io.Writer) io.Writer {
	if z.z == nil {
		z.z, _ = z.pool.Get().(*gzip.Writer)
		z.z.Reset(w)
	}
	return z.z
}

// flush writes what was given to it so far.
func (z *zipped) flush() error {
	if z.z == nil {
		return nil
	}
	return z.z.Flush()
}

// end writes what is left. An error means that the client has gone.
func (z *zipped) end() {
	if z.z != nil {
		_ = z.z.Close()
		z.pool.Put(z.z)
		z.z = nil
	}
}

// newZipPool makes the pool of an http.Handler.
func newZipPool() *sync.Pool {
	return &sync.Pool{New: func() any {
		z, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
		if err != nil { // the level is known
			z = gzip.NewWriter(io.Discard)
		}
		return z
	}}
}

// acceptsGzip says whether a client wants answers in gzip, by its Accept-Encoding.
func acceptsGzip(h http.Header) bool {
	any := false
	for coding := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, params, _ := strings.Cut(coding, ";")
		key, weight, _ := strings.Cut(strings.TrimSpace(params), "=")
		q, err := strconv.ParseFloat(weight, 64)
		wanted := !strings.EqualFold(key, "q") || err == nil && q > 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case gzipCoding, "x-gzip":
			return wanted
		case "*":
			any = wanted
		}
	}
	return any
}
