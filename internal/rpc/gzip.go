package rpc

import (
	"bytes"
	"compress/gzip"
	"io"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // answers a request in gzip in gzip, and lets clients ask so

	"github.com/Automattic/jetmon/internal/fault"
)

// maxExpansion is how many times its size a message in gzip may have when it is
// decompressed, beyond the size of a unary request and up to that of a server's largest
// message. gRPC's own bound is the last one alone, whoever sends it.
const maxExpansion = 16

// gunzip decompresses the messages that a server receives.
type gunzip struct{}

// unzippable stands for a message that could not be decompressed; no message begins so.
// gRPC would answer with INTERNAL, as if it were our fault, and before anyone could say more.
const unzippable = "\x07gzip"

// checkUnzipped returns the fault of a message that could not be decompressed.
func checkUnzipped(message []byte) error {
	if string(message) != unzippable {
		return nil
	}
	return fault.New(fault.Invalid, "the request is not gzip, as grpc-encoding says, or expands to more than %d bytes and %d times its size, or to more than %d bytes", maxUnaryBytes, maxExpansion, maxRequestBytes)
}

// gunzipOption makes a server decompress with gunzip.
func gunzipOption() grpc.ServerOption {
	//lint:ignore SA1019 the other way is a registry of the process, which bounds nothing and may be changed only by init()
	return grpc.RPCDecompressor(gunzip{})
}

// Type is the name in grpc-encoding.
func (gunzip) Type() string { return "gzip" }

// Do decompresses a message, of which gRPC has bounded the compressed size.
func (gunzip) Do(r io.Reader) ([]byte, error) {
	in, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(in))
	if err != nil {
		return []byte(unzippable), nil
	}
	most := max(maxUnaryBytes, min(maxExpansion*len(in), maxRequestBytes))
	out, err := io.ReadAll(io.LimitReader(z, int64(most)+1))
	if err != nil || len(out) > most {
		return []byte(unzippable), nil
	}
	return out, nil
}
