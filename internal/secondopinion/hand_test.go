package secondopinion

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// FuzzHand checks that what net/http reads is read by hand in the same way, and that no bytes
// are read for ever.
func FuzzHand(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2;a=b\nok\n0\nX: y\n\n",
		"HTTP/1.0 302 Found\r\nTransfer-Encoding: chunked\r\nLocation:\r\n /x\r\n\r\nbody",
		"HTTP/1.1 204 \r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\nContent-Length: all\r\n\r\nx",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bufio.NewReader(bytes.NewReader(data))
		mine, mineErr := readHead(in)
		var body []byte
		if mineErr == nil {
			var r io.Reader
			if r, mineErr = bodyOf(mine, in); mineErr == nil {
				body, mineErr = io.ReadAll(r)
			}
		}
		theirs, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), &http.Request{Method: http.MethodGet})
		if err != nil || bytes.IndexByte([]byte(theirs.Status), 0) >= 0 || theirs.StatusCode < 200 || len(data) > maxHeadBytes {
			return
		}
		want, err := io.ReadAll(theirs.Body)
		_ = theirs.Body.Close()
		if err != nil {
			return
		}
		if mineErr != nil || mine.StatusCode != theirs.StatusCode || !bytes.Equal(body, want) || mine.Header.Get("Location") != strings.TrimSpace(theirs.Header.Get("Location")) {
			t.Errorf("%.200q: by hand %v, %.100q, %v; net/http %d, %.100q", data, mine, body, mineErr, theirs.StatusCode, want)
		}
	})
}
