package hostile

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/encoding/protowire"
)

// with replaces a field of the head, or adds it where there is none.
func with(name, value string) func([]header) []header {
	return func(h []header) []header {
		for i := range h {
			if h[i].name == name {
				h[i].value = value
				return h
			}
		}
		return append(h, header{name, value})
	}
}

// also adds a field, even if there is one.
func also(fields ...header) func([]header) []header {
	return func(h []header) []header { return append(h, fields...) }
}

func without(name string) func([]header) []header {
	return func(h []header) []header { return slices.DeleteFunc(h, func(f header) bool { return f.name == name }) }
}

// heads are requests whose head is at fault; the message is a good one.
func heads(path string, message []byte) []bad {
	var all []bad
	add := func(name string, kind ending, want string, edit func([]header) []header) {
		all = append(all, bad{name: name, ending: kind, want: want, request: request{path: path, edit: edit, data: [][]byte{framed(message)}}})
	}
	for _, kind := range []string{"", "text/plain", "application/json", "application/grpcx", "application/x-www-form-urlencoded", "multipart/form-data", "grpc", "\x00"} {
		add(fmt.Sprintf("content-type %q", kind), refusedSomehow, "content-type", with("content-type", kind))
	}
	add("no content-type", inWords, "content-type", without("content-type"))
	add("an unknown subtype", harmless, "", with("content-type", "application/grpc+nonsense"))
	for _, method := range []string{"GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "post"} {
		add(":method "+method, atHTTP, method, with(":method", method))
	}
	for _, timeout := range []string{"", "1", "S", "-1S", "1X", "1s", " 1S", "1.5S", "123456789S", "1S1S", "0x1S", "\u0661S"} {
		add(fmt.Sprintf("grpc-timeout %q", timeout), atHTTP, "grpc-timeout", with("grpc-timeout", timeout))
	}
	add("grpc-timeout 0", timedOut, "deadline", with("grpc-timeout", "0S"))
	add("grpc-timeout 1n", timedOut, "deadline", with("grpc-timeout", "1n"))
	for _, value := range []string{"!", "=", "a", "=AAA", "AA==AA"} {
		add(fmt.Sprintf("binary metadata %q", value), atHTTP, "x-bin", also(header{"x-bin", value}))
	}
	add("no authority", atHTTP, "authority", without(":authority"))
	add("two hosts", atHTTP, "host", also(header{"host", "a"}, header{"host", "b"}))
	add("two authorities", notAnswered, "", func(h []header) []header { return slices.Insert(h, 3, header{":authority", "b"}) })
	add("connection: close", notAnswered, "", also(header{"connection", "close"}))
	add("a name in upper case", notAnswered, "", also(header{"X-Upper", "1"}))
	add("a line break in a name", notAnswered, "", also(header{"x-a\r\nx-b", "1"}))
	add("a line break in a value", notAnswered, "", also(header{"x-a", "1\r\nx-b: 2"}))
	add("a NUL in a value", notAnswered, "", also(header{"x-a", "1\x002"}))
	add("an unknown pseudo-field", notAnswered, "", func(h []header) []header { return slices.Insert(h, 0, header{":evil", "1"}) })
	add("a pseudo-field that comes late", notAnswered, "", also(header{":path", "/x"}))
	add("9 KiB of metadata", notAnswered, "", also(header{"x-long", strings.Repeat("x", 9<<10)}))
	add("a megabyte of metadata", notAnswered, "", also(header{"x-long", strings.Repeat("x", 1<<20)}))
	add("2,000 fields", notAnswered, "", also(slices.Repeat([]header{{"x-a", "1"}}, 2000)...))
	for _, f := range []header{{"grpc-status", "13"}, {"grpc-message", "x"}, {"grpc-tags-bin", "AAAA"}, {"grpc-trace-bin", "AAAA"}, {"grpc-retry-pushback-ms", "1"}, {"grpc-previous-rpc-attempts", "9"}, {"content-length", "-1"}, {"content-length", "1"}, {"transfer-encoding", "chunked"}, {"te", "gzip"}, {"grpc-accept-encoding", strings.Repeat(",", 4000)}} {
		add("forged "+f.name+": "+f.value[:min(len(f.value), 10)], harmless, "", with(f.name, f.value))
	}
	return all
}

// paths are methods that are not there.
func paths() []bad {
	var all []bad
	for _, path := range []string{
		"", "/", "//", "*", "jetmon", "/jetmon.monitor.v1.SiteService", "/jetmon.monitor.v1.SiteService/", "/jetmon.monitor.v1.SiteService/Nothing",
		"/jetmon.monitor.v1.SiteService/getsite", "/jetmon.monitor.v2.SiteService/GetSite", "/SiteService/GetSite", "jetmon.monitor.v1.SiteService/GetSite",
		"/jetmon.monitor.v1.SiteService/GetSite/", "/jetmon.monitor.v1.SiteService//GetSite", "/jetmon.monitor.v1.SiteService/GetSite?x=1", "/jetmon.monitor.v1.SiteService%2FGetSite",
		"/jetmon.monitor.v1.SiteService/../SiteService/GetSite", "/../../etc/passwd", "/\xff\xfe/\xff", "/a/" + strings.Repeat("b", 300), "/" + strings.Repeat("a", 4000) + "/b", "/grpc.health.v1.Health/Nothing",
		"http://x/jetmon.monitor.v1.SiteService/GetSite", "/$/$", "/ / ",
	} {
		all = append(all, bad{name: fmt.Sprintf("path %.40q", path), ending: inWords, request: request{path: path, data: [][]byte{framed(nil)}}})
	}
	return all
}

// frames are requests whose framing is at fault; the message would be a good one.
func frames(path string, message []byte) []bad {
	good := framed(message)
	length := func(n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{0}, n) }
	var all []bad
	add := func(name string, kind ending, want string, data ...[]byte) {
		all = append(all, bad{name: name, ending: kind, want: want, request: request{path: path, data: data}})
	}
	for _, flag := range []byte{1, 2, 3, 127, 128, 255} {
		add(fmt.Sprintf("flag %d without an encoding", flag), inFraming, "", append([]byte{flag}, good[1:]...))
	}
	add("a frame of 4 GB", inWords, "larger than max", length(1<<32-1))
	add("a frame of 2 GB", inWords, "larger than max", length(1<<31))
	add("a frame of 4 MiB and a byte", inWords, "larger than max", length(4<<20+1), make([]byte, 100))
	add("a frame that is cut short", inFraming, "", append(length(uint32(len(message)+10)), message...))
	add("a head of one byte", inFraming, "", []byte{0})
	add("a head of four bytes", inFraming, "", []byte{0, 0, 0, 0})
	add("no message", inFraming, "", []byte{})
	add("a byte after the message", inFraming, "", append(slices.Clone(good), 0))
	add("two messages", inFraming, "", good, good)
	add("a thousand messages", inFraming, "", slices.Repeat(good, 1000))
	add("empty frames around it", harmless, "", slices.Concat(slices.Repeat([][]byte{{}}, 50), [][]byte{good}, slices.Repeat([][]byte{{}}, 50))...)
	var bytes [][]byte
	for _, b := range good {
		bytes = append(bytes, []byte{b})
	}
	add("a byte a frame", harmless, "", bytes...)
	for _, encoding := range []string{"snappy", "br", "zstd", "deflate", "GZIP", strings.Repeat("x", 500), "\x7f"} {
		all = append(all, bad{name: fmt.Sprintf("encoding %.10q", encoding), ending: refusedSomehow, want: "encoding",
			request: request{path: path, edit: with("grpc-encoding", encoding), data: [][]byte{append([]byte{1}, good[1:]...)}}})
	}
	for encoding, kind := range map[string]ending{"gzip": inWords, "identity": inFraming} {
		all = append(all, bad{name: encoding + " that is none", ending: kind, want: "",
			request: request{path: path, edit: with("grpc-encoding", encoding), data: [][]byte{append([]byte{1}, good[1:]...)}}})
	}
	return all
}

// protocol breaks HTTP/2 itself.
func protocol(path string, message []byte) []bad {
	var all []bad
	add := func(name string, kind ending, raw func(*http2.Framer) error) {
		all = append(all, bad{name: name, ending: kind, request: request{path: path, raw: raw}})
	}
	add("data of stream 0", notAnswered, func(f *http2.Framer) error { return f.WriteData(0, true, framed(message)) })
	add("a frame of an unknown type", harmless, func(f *http2.Framer) error {
		if err := f.WriteRawFrame(0xee, 0xff, 1, []byte("x")); err != nil {
			return err
		}
		return f.WriteData(1, true, framed(message))
	})
	add("more than the window", inFraming, func(f *http2.Framer) error {
		for range 10 {
			if err := f.WriteData(1, false, make([]byte, maxFrame)); err != nil {
				return err
			}
		}
		return nil
	})
	add("a ping of 3 bytes", notAnswered, func(f *http2.Framer) error { return f.WriteRawFrame(http2.FramePing, 0, 0, []byte("abc")) })
	add("settings of 5 bytes", notAnswered, func(f *http2.Framer) error { return f.WriteRawFrame(http2.FrameSettings, 0, 0, make([]byte, 5)) })
	add("a window that is none", notAnswered, func(f *http2.Framer) error { return f.WriteWindowUpdate(1, 0) })
	add("a window that overflows", harmless, func(f *http2.Framer) error {
		if err := f.WriteWindowUpdate(1, 1<<31-1); err != nil {
			return err
		}
		return f.WriteData(1, true, framed(message))
	})
	add("a continuation of nothing", notAnswered, func(f *http2.Framer) error { return f.WriteContinuation(1, true, []byte{0x82}) })
	add("fields that are no HPACK", notAnswered, func(f *http2.Framer) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, EndHeaders: true})
	})
	add("an even stream", notAnswered, func(f *http2.Framer) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 4, BlockFragment: block(head(path)), EndHeaders: true, EndStream: true})
	})
	add("a stream that goes back", notAnswered, func(f *http2.Framer) error {
		for _, id := range []uint32{9, 7} {
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block(head(path)), EndHeaders: true}); err != nil {
				return err
			}
		}
		return nil
	})
	add("a stream that depends on itself", harmless, func(f *http2.Framer) error {
		if err := f.WritePriority(1, http2.PriorityParam{StreamDep: 1}); err != nil {
			return err
		}
		return f.WriteData(1, true, framed(message))
	})
	add("a frame of a megabyte", notAnswered, func(f *http2.Framer) error {
		return f.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 1<<20))
	})
	add("a thousand streams that are reset at once", notAnswered, func(f *http2.Framer) error {
		for id := uint32(3); id < 2003; id += 2 {
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block(head(path)), EndHeaders: true}); err != nil {
				return err
			}
			if err := f.WriteRSTStream(id, http2.ErrCodeCancel); err != nil {
				return err
			}
		}
		return f.WriteRSTStream(0, http2.ErrCodeCancel)
	})
	return all
}

// block encodes fields without a table, so that it may come anywhere.
func block(fields []header) []byte {
	var out []byte
	for _, f := range fields {
		out = append(out, 0x10) // a literal that is never indexed
		for _, text := range []string{f.name, f.value} {
			out = append(hpackLength(out, len(text)), text...)
		}
	}
	return out
}

// hpackLength appends a length of HPACK with a prefix of 7 bits.
func hpackLength(out []byte, n int) []byte {
	if n < 127 {
		return append(out, byte(n))
	}
	return protowire.AppendVarint(append(out, 127), uint64(n-127))
}
