package hostile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
)

// patience bounds every answer.
const patience = 10 * time.Second

// header is one field of a request's head, in the order in which it is sent.
type header struct{ name, value string }

// request is what is sent on one stream of a connection of its own.
type request struct {
	path string
	// edit changes the head; nil leaves it as an honest client sends it.
	edit func([]header) []header
	// data are the DATA frames; the last one ends the stream unless open is set.
	data [][]byte
	open bool
	// raw is written after the head instead of data: frames, or what looks like them.
	raw func(*http2.Framer) error
}

// answer is how a server ended a stream.
type answer struct {
	http    int // of :status
	code    codes.Code
	message string
	// reset is why the stream, or the whole connection, was ended instead of answered.
	reset string
	data  []byte
}

func (a answer) String() string {
	if a.reset != "" {
		return "reset: " + a.reset
	}
	return fmt.Sprintf("HTTP %d, %s %q", a.http, a.code, a.message)
}

// framed puts a message into the frame of gRPC.
func framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

// head is what an honest client sends.
func head(path string) []header {
	return []header{
		{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "127.0.0.1"},
		{"content-type", "application/grpc"}, {"te", "trailers"}, {"user-agent", "hostile"},
	}
}

// send sends a request over a new connection and returns how it ended. It returns an error
// when it did not end in time.
func send(addr string, r request) (answer, error) {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return answer{}, err
	}
	framer := http2.NewFramer(conn, conn)
	framer.AllowIllegalWrites = true
	framer.SetMaxReadFrameSize(1 << 20)
	wrote, w := make(chan error, 1), newWindow()
	go func() { wrote <- write(conn, framer, w, r) }()
	a, err := read(framer, w)
	w.close()
	_ = conn.Close() // a server that has answered need not read the rest
	<-wrote
	return a, err
}

func write(conn net.Conn, framer *http2.Framer, w *window, r request) error {
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return err
	}
	if err := framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 24}); err != nil {
		return err
	}
	fields := head(r.path)
	if r.edit != nil {
		fields = r.edit(fields)
	}
	if err := writeHead(framer, fields, !r.open && r.raw == nil && len(r.data) == 0); err != nil {
		return err
	}
	if r.raw != nil {
		return r.raw(framer)
	}
	for i, data := range r.data {
		if err := writeData(framer, w, data, !r.open && i == len(r.data)-1); err != nil {
			return err
		}
	}
	return nil
}

// maxFrame is the largest frame that a server takes by default.
const maxFrame = 16 << 10

func writeHead(framer *http2.Framer, fields []header, end bool) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		if err := encoder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value}); err != nil {
			return err
		}
	}
	first := block.Next(maxFrame)
	err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first, EndStream: end, EndHeaders: block.Len() == 0})
	for err == nil && block.Len() > 0 {
		err = framer.WriteContinuation(1, block.Len() <= maxFrame, block.Next(maxFrame))
	}
	return err
}

// writeData sends data as the server's window allows it.
func writeData(framer *http2.Framer, w *window, data []byte, end bool) error {
	for len(data) > 0 {
		n := w.take(min(len(data), maxFrame))
		if n == 0 {
			return nil // the answer is there
		}
		if err := framer.WriteData(1, end && n == len(data), data[:n]); err != nil {
			return err
		}
		if data = data[n:]; len(data) == 0 {
			return nil
		}
	}
	return framer.WriteData(1, end, nil)
}

// read reads until the stream or the connection ends.
func read(framer *http2.Framer, w *window) (answer, error) {
	a := answer{code: codes.OK}
	decoder := hpack.NewDecoder(4096, nil)
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return a, fmt.Errorf("no answer within %s", patience)
			}
			a.reset = "the connection ended"
			return a, nil
		}
		w.see(frame)
		switch f := frame.(type) {
		case *http2.HeadersFrame:
			fields, err := decoder.DecodeFull(f.HeaderBlockFragment())
			if err != nil {
				return a, err
			}
			a.head(fields)
			if f.StreamEnded() {
				return a, nil
			}
		case *http2.DataFrame:
			a.data = append(a.data, f.Data()...)
			if f.StreamEnded() {
				return a, nil
			}
		case *http2.RSTStreamFrame:
			a.reset = f.ErrCode.String()
			return a, nil
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				a.reset = "connection: " + f.ErrCode.String()
				return a, nil
			}
		}
	}
}

func (a *answer) head(fields []hpack.HeaderField) {
	for _, f := range fields {
		switch f.Name {
		case ":status":
			a.http, _ = strconv.Atoi(f.Value)
		case "grpc-status":
			n, err := strconv.ParseUint(f.Value, 10, 32)
			if err != nil {
				n = uint64(codes.Unknown)
			}
			a.code = codes.Code(n)
		case "grpc-message":
			a.message = f.Value
			if plain, err := url.PathUnescape(f.Value); err == nil {
				a.message = plain
			}
		}
	}
}

func TestTheClientIsUnderstoodWhenItIsHonest(t *testing.T) {
	w := open(t)
	a, err := send(w.coordinator, request{path: "/jetmon.monitor.v1.FleetService/GetFleet", data: [][]byte{framed(nil)}})
	if err != nil || a.code != codes.OK || a.http != 200 || len(a.data) < 5 {
		t.Errorf("%v %v", a, err)
	}
}
