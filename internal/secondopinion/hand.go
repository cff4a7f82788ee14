package secondopinion

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/internal/check"
)

// byHand does a request without net/http's reader, which ends at much that browsers pass
// over: odd header lines, odd lengths, bare line feeds between chunks. It is the last resort,
// over HTTP/1.1 and a connection of its own.
func (a *asking) byHand(conn net.Conn, r *http.Request) (*http.Response, error) {
	context.AfterFunc(r.Context(), func() { _ = conn.Close() })
	r.Close = true
	if err := r.Write(conn); err != nil {
		return nil, err
	}
	a.reach(check.PhaseResponse)
	in := bufio.NewReader(conn)
	for {
		resp, err := readHead(in)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			body, err := bodyOf(resp, in)
			resp.Body = handBody{body, conn}
			return resp, err
		}
	}
}

// handBody closes the connection with the body.
type handBody struct {
	io.Reader
	io.Closer
}

var (
	errNoHTTP = errors.New("the answer does not begin as HTTP does")
	errHead   = errors.New("the header is too long, contradicts itself or contains a NUL")
	errChunk  = errors.New("the length of a chunk is no number")
)

// readHead reads the head of a response: a status, and all lines that are header lines. A
// line that begins with a blank continues the one before it.
func readHead(in *bufio.Reader) (*http.Response, error) {
	left := maxHeadBytes
	line, err := readLine(in, &left)
	if err != nil {
		return nil, err
	}
	proto, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	status, err := strconv.Atoi(code)
	major, minor, ok := http.ParseHTTPVersion(proto)
	if !ok || err != nil || status < 100 || len(code) != 3 {
		return nil, errNoHTTP
	}
	resp := &http.Response{StatusCode: status, Proto: proto, ProtoMajor: major, ProtoMinor: minor, Header: http.Header{}}
	name := ""
	for {
		line, err := readLine(in, &left)
		switch {
		case err != nil:
			return nil, err
		case line == "":
			return resp, nil
		case line[0] == ' ' || line[0] == '\t':
			if all := resp.Header[name]; len(all) > 0 {
				all[len(all)-1] = strings.TrimSpace(all[len(all)-1] + " " + strings.TrimSpace(line))
			}
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if name = ""; !ok || key == "" {
			continue // no header line
		}
		name = http.CanonicalHeaderKey(strings.TrimRight(key, " \t"))
		resp.Header[name] = append(resp.Header[name], strings.TrimSpace(value))
	}
}

// readLine reads a line without its end; left is how much of the head may follow.
func readLine(in *bufio.Reader, left *int) (string, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if *left -= len(part); *left < 0 {
			return "", errHead
		}
		if err == nil {
			break
		}
		if err != bufio.ErrBufferFull {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return "", err
		}
	}
	text := strings.TrimRight(string(line), "\r\n")
	if strings.IndexByte(text, 0) >= 0 {
		return "", errHead
	}
	return text, nil
}

// bodyOf returns the body behind a head: chunks, a length, or all that follows.
func bodyOf(resp *http.Response, in *bufio.Reader) (io.Reader, error) {
	if resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified {
		return http.NoBody, nil
	}
	coding := strings.ToLower(strings.Join(resp.Header["Transfer-Encoding"], ","))
	if strings.Contains(coding, "chunked") && resp.ProtoAtLeast(1, 1) {
		return &chunks{in: in}, nil
	}
	length := int64(-1)
	for _, text := range strings.Split(strings.Join(resp.Header["Content-Length"], ","), ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil || n < 0 {
			continue
		}
		if length >= 0 && n != length {
			return nil, errHead
		}
		length = n
	}
	if length < 0 {
		return in, nil
	}
	return &exactly{in, length}, nil
}

// exactly reads a body of known length.
type exactly struct {
	in   io.Reader
	left int64
}

// Read implements io.Reader.
func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.in.Read(p[:min(int64(len(p)), e.left)])
	if e.left -= int64(n); err == io.EOF && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// chunks reads a chunked body whose lines may end in a bare line feed.
type chunks struct {
	in          *bufio.Reader
	left        int64
	begun, over bool
}

// Read implements io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	if c.over {
		return 0, io.EOF
	}
	if c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.left)])
	if c.left -= int64(n); err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next reads the line before a chunk, after the line end of the one before. It returns io.EOF
// before the last chunk, which is empty; what follows does not matter.
func (c *chunks) next() error {
	const longest = 4 << 10
	left := longest
	line, err := readLine(c.in, &left)
	if err == nil && line == "" && c.begun {
		line, err = readLine(c.in, &left)
	}
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(line, ";")
	c.begun = true
	c.left, err = strconv.ParseInt(strings.TrimSpace(size), 16, 64)
	switch {
	case err != nil || c.left < 0:
		c.left = 0
		return errChunk
	case c.left == 0:
		c.over = true
		return io.EOF
	}
	return nil
}
