package probe

import (
	"bytes"
	"errors"
	"os/exec"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// fixture is an answer of a kind that the tests of other parsers have: llhttp's test/response,
// picohttpparser's test.c and httparse's src/lib.rs. Their verdicts are about parsers; ours are
// about visitors.
type fixture struct {
	name, answer string
	// text is what the page must have, for answers that a browser shows.
	text string
	// reason and status are those of the failure; a reason of "" means UP.
	reason string
	status int
	// curl is what curl 7.88.1 exits with: 0 when it shows the page.
	curl int
	// why argues where the verdict is not curl's.
	why string
}

func fixtures() []fixture {
	const ok, chunked = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	return []fixture{
		// Where the body ends.
		{"length and Proxy-Connection", ok + "Proxy-Connection: close\r\nContent-Length: 11\r\n\r\nhello world", "hello world", "", 200, 0, ""},
		{"1.0, kept alive, to the end of the connection", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nHTTP/1.0 200 OK", "HTTP/1.0", "", 200, 0, ""},
		{"1.0, kept alive, 204", "HTTP/1.0 204 No content\r\nConnection: keep-alive\r\n\r\nHTTP/1.0 200 OK", "", "", 204, 0, ""},
		{"another answer as the body", ok + "\r\nHTTP/1.1 200 OK", "HTTP/1.1", "", 200, 0, ""},
		{"another answer behind 204", "HTTP/1.1 204 No content\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK", "", "", 204, 0, ""},
		{"more than the length, then close", ok + "Content-Length: 5\r\nConnection: close\r\n\r\n2ad731e3-4dcd", "2ad73", "", 200, 0, ""},
		{"three answers in a row", ok + "Content-Length: 3\r\n\r\nAAAHTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nBBBB", "AAA", "", 200, 0, ""},
		{"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", "", "", 304, 0, ""},
		{"304 in chunks", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", "", "", 304, 0, ""},
		{"a page of XML without a length", ok + "Connection: close\r\n\r\n<?xml version=\"1.0\"?><a>hello</a>", "hello", "", 200, 0, ""},
		{"Content-Length-X", ok + "Content-Length-X: 0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n", "OK", "", 200, 0, ""},
		{"length among tabs", ok + "Content-Length:\t5\t\r\n\r\nhello", "hello", "", 200, 0, ""},
		{"length 0", ok + "Content-Length: 0\r\n\r\n", "", "", 200, 0, ""},
		{"nothing but the status line", ok + "\r\n", "", "", 200, 0, ""},
		{"a length of -1", ok + "Content-Length: -1\r\n\r\nhello", "hello", "", 200, 8, "browsers read on to the end of the connection"},
		{"a length of +5", ok + "Content-Length: +5\r\n\r\nhello", "hello", "", 200, 0, ""},
		{"a length of 5.0", ok + "Content-Length: 5.0\r\n\r\nhello", "hello", "", 200, 0, ""},
		{"a length beyond all numbers", ok + "Content-Length: 99999999999999999999\r\n\r\nhello", "hello", "", 200, 0, ""},
		// Switching protocols, and answers before the answer.
		{"101 with a length", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nbody", "", "switching_protocols", 0, 0, "nobody asked for another protocol: Chromium and Firefox refuse"},
		{"101 in chunks", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n0\r\n\r\n", "", "switching_protocols", 0, 0, "nobody asked for another protocol: Chromium and Firefox refuse"},
		{"200 with Upgrade", ok + "Connection: upgrade\r\nUpgrade: h2c\r\n\r\nbody", "body", "", 200, 0, ""},
		{"200 with Upgrade and a length", ok + "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nbody", "body", "", 200, 0, ""},
		{"200 with Upgrade, in chunks", ok + "Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n", "body", "", 200, 0, ""},
		{"100, then 404", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 14\r\n\r\n404: Not Found", "", "http_404", 404, 0, "an error page is shown, and is an error"},
		{"103, then 200", "HTTP/1.1 103 Early Hints\r\nLink: </styles.css>; rel=preload; as=style\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\nresponse content", "response content", "", 200, 0, ""},
		// The status line.
		{"HTP", "HTP/1.1 200 OK\r\n\r\nhello", "", "not_http", 0, 1, ""},
		{"RTSP", "RTSP/1.1 200 OK\r\n\r\nhello", "", "not_http", 0, 1, ""},
		{"ICE", "ICE/1.1 200 OK\r\n\r\nhello", "", "not_http", 0, 1, ""},
		{"ICY", "ICY 200 OK\r\n\r\nhello", "", "not_http", 0, 1, ""},
		{"HTTPER", "HTTPER/1.1 200 OK\r\n\r\nhello", "", "not_http", 0, 1, "no version: only Chromium guesses one"},
		{"version 01.1", "HTTP/01.1 200 OK\r\n\r\nhello", "hello", "", 200, 1, "Chromium takes any version"},
		{"version 11.1", "HTTP/11.1 200 OK\r\n\r\nhello", "hello", "", 200, 1, "Chromium takes any version"},
		{"version 1.01", "HTTP/1.01 200 OK\r\n\r\nhello", "hello", "", 200, 1, "Chromium and Firefox take any version 1"},
		{"version 1.10", "HTTP/1.10 200 OK\r\n\r\nhello", "hello", "", 200, 1, "Chromium and Firefox take any version 1"},
		{"version 1.", "HTTP/1. 200 OK\r\n\r\nhello", "hello", "", 200, 1, "Chromium and Firefox take any version 1"},
		{"version 1.2z", "HTTP/1.2z 200 OK\r\n\r\nhello", "hello", "", 200, 1, "Chromium and Firefox take any version 1"},
		{"version 5.6", "HTTP/5.6 200 OK\r\n\r\nhello", "hello", "", 200, 1, "Chromium takes any version"},
		{"version 0.9", "HTTP/0.9 200 OK\r\n\r\nhello", "hello", "", 200, 1, "Chromium takes any version"},
		{"version 1.1 in chunks, called 1.10", "HTTP/1.10 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello", "", 200, 1, "Chromium and Firefox take any version 1"},
		{"tab after the version", "HTTP/1.1\t200 OK\r\n\r\nhello", "", "bad_status", 0, 1, ""},
		{"tab after the version, and no words", "HTTP/1.1\t200\r\n\r\nhello", "hello", "", 200, 1, "Chromium and Firefox take a line without a blank for 200"},
		{"carriage return first", "\rHTTP/1.1 200 OK\r\n\r\nhello", "hello", "", 200, 1, "browsers pass over four bytes"},
		{"line end first", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", "", 200, 1, "browsers pass over four bytes"},
		{"two blanks before the status", "HTTP/1.1  200 OK\r\n\r\nhello", "hello", "", 200, 0, ""},
		{"two blanks before the words", "HTTP/1.1 200  OK\r\n\r\nhello", "hello", "", 200, 0, ""},
		{"status of one digit", "HTTP/1.1 2 OK\r\n\r\nhello", "", "bad_status", 0, 1, ""},
		{"no words", "HTTP/1.1 200\r\n\r\nhello", "hello", "", 200, 0, ""},
		{"no words, redirect to nowhere", "HTTP/1.1 301\r\n\r\n", "", "no_location", 301, 0, "a redirect to nowhere, in v1 too, although its empty page can be shown"},
		{"no words after a blank", "HTTP/1.1 200 \r\n\r\nhello", "hello", "", 200, 0, ""},
		{"no status", "HTTP/1.1\r\n\r\nhello", "hello", "", 200, 1, "Chromium and Firefox take a line without a blank for 200"},
		{"no status, but words", "HTTP/1.1  OK\r\n\r\nhello", "", "bad_status", 0, 1, ""},
		{"words of no encoding", "HTTP/1.1 500 Ori\xebntatieprobleem\r\nContent-Length: 0\r\n\r\n", "", "http_500", 500, 0, "an error page is shown, and is an error"},
		{"a space instead of words and status", "HTTP/1.1 \r\n\r\nhello", "", "bad_status", 0, 1, ""},
		{"only line feeds", "HTTP/1.1 200 OK\nFoo: abc\nBar: def\n\nBODY", "BODY", "", 200, 0, ""},
		{"only line feeds, no body", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "", "", 200, 0, ""},
		{"carriage return between fields", ok[:len(ok)-2] + "\r\nFoo: 1\rBar: 2\r\n\r\nhello", "hello", "", 200, 0, ""},
		{"carriage return ends the status line", "HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\nhello", "hello", "", 200, 0, ""},
		{"carriage returns end the head", "HTTP/1.1 200 OK\r\rContent-Length: 4\r\n\r\nEvil", "Evil", "", 200, 0, ""},
		// Fields.
		{"blank before the first field", ok + " Host: foo\r\n\r\nhello", "hello", "", 200, 43, "browsers pass over such a line"},
		{"tab before a value", ok + "Header1: Value1\r\nHeader2:\t Value2\r\nContent-Length: 0\r\n\r\n", "", "", 200, 0, ""},
		{"underscore in a name", ok + "Content-Length: 5\r\nDCLK_imp: v7;x;~okv=;dcmt=text/xml;;~cs=o\r\n\r\nhello", "hello", "", 200, 0, ""},
		{"dollar in a name", ok + "X-$PrototypeBI-Version: 1.6.0.3\r\nContent-Length:  5  \r\n\r\nhello", "hello", "", 200, 0, ""},
		{"an empty field before Location", "HTTP/1.0 200 OK\r\nPragma: \r\nLocation: http://www.bonjourmadame.fr/\r\nContent-Length: 5\r\n\r\nhello", "hello", "", 200, 0, ""},
		{"dot and underscore first in names", ok + ".et-Cookie: a=b\r\n_eep-Alive: timeout=45\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello", "", 200, 0, ""},
		{"blank in a name", ok + "en-US Content-Type: text/xml\r\nContent-Length: 16\r\n\r\n<xml>hello</xml>", "hello", "", 200, 0, ""},
		{"blank before the colon", ok + "Server : x\r\nContent-Length: 5\r\n\r\nhello", "hello", "", 200, 0, ""},
		{"bare line feed and fold", ok + "X: a\n b\r\nContent-Length: 5\r\n\r\nhello", "hello", "", 200, 0, ""},
		{"control byte in a value", ok + "X: a\x07b\r\nContent-Length: 5\r\n\r\nhello", "hello", "", 200, 0, ""},
		{"fold behind chunked", ok + "Transfer-Encoding: chunked\r\n  abc\r\n\r\n5\r\nWorld\r\n0\r\n\r\n", "World", "", 200, 0, ""},
		// Chunks.
		{"blanks behind a size", ok + "Transfer-Encoding: chunked\r\n\r\n5  \r\nhello\r\n0  \r\n\r\n", "hello", "", 200, 0, ""},
		{"chunked, deflate", ok + "Transfer-Encoding: chunked, deflate\r\n\r\nWorld", "", "bad_chunking", 200, 56, ""},
		{"chunked, and identity in another field", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\nWorld", "", "bad_chunking", 200, 56, ""},
		{"chunkedchunked", ok + "Transfer-Encoding: chunkedchunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n", "OK", "", 200, 61, "browsers pass over names that are none, and read the body as it is"},
		{"extensions", chunked + "5;ilovew3;somuchlove=aretheseparametersfor\r\nhello\r\n6;blahblah;blah\r\n world\r\n0\r\n\r\n", "hello world", "", 200, 0, ""},
		{"extensions without a semicolon", chunked + "2 erfrferferf\r\naa\r\n0 rrrr\r\n\r\n", "aa", "", 200, 0, ""},
		{"a semicolon without an extension", chunked + "2;\r\naa\r\n0\r\n\r\n", "aa", "", 200, 0, ""},
		{"quoted extensions", chunked + "5;a=\"I love; extensions\";b=\"c\";d\r\nhello\r\n6;blah\r\n world\r\n0\r\n", "hello world", "", 200, 18, "the last chunk ends the page in browsers"},
		{"extensions with an open quote", chunked + "5;a=\"abc\";b=\"def; ghi\r\nhello\r\n6;blah\r\n world\r\n0\r\n\r\n", "hello world", "", 200, 0, ""},
		{"chunks with line feeds", chunked + "5\nhello\n0\n\n", "hello", "", 200, 0, ""},
		{"trailers", chunked + "6\r\nhello \r\n5\r\nworld\r\n0\r\na: b\r\nc: d\r\n\r\n", "hello world", "", 200, 0, ""},
		{"no line behind the last chunk", chunked + "b\r\nhello world\r\n0\r\n", "hello world", "", 200, 18, "the last chunk ends the page in browsers"},
		{"a size in capital letters, with zeros", chunked + "00B\r\nhello world\r\n0\r\n\r\n", "hello world", "", 200, 0, ""},
		{"a size of letters", chunked + "z\r\nabcdefg", "", "bad_chunking", 200, 56, ""},
		{"a size of all numbers", chunked + "6\r\nhello \r\nffffffffffffffff\r\nabcdefg", "", "bad_chunking", 200, 56, ""},
		{"a size beyond all numbers", chunked + "6\r\nhello \r\nfffffffffffffffff\r\nabcdefg", "", "bad_chunking", 200, 56, ""},
		{"a negative size", chunked + "-5\r\nhello\r\n0\r\n\r\n", "", "bad_chunking", 200, 56, ""},
		{"data longer than its size", chunked + "3\r\nhello\r\n0\r\n\r\n", "", "bad_chunking", 200, 56, ""},
		// Answers that end too soon.
		{"one byte", "H", "", "header_cut_short", 0, 52, ""},
		{"half a version", "HTTP/1.", "", "header_cut_short", 0, 52, ""},
		{"half a status line", "HTTP/1.1 200 O", "", "header_cut_short", 0, 52, ""},
		{"half a head", "HTTP/1.1 200 OK\r\nA: 1\r\n", "", "header_cut_short", 0, 0, "curl, and browsers over plain HTTP, show an empty page: a server that fails in its head is no healthy site"},
		{"half a blank line", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r", "", "header_cut_short", 0, 0, "curl, and browsers over plain HTTP, show an empty page: a server that fails in its head is no healthy site"},
	}
}

// TestFixturesOfOtherParsers puts the answers to both engines: what a browser shows is UP.
// Where that is not what curl makes of it, the table says why.
func TestFixturesOfOtherParsers(t *testing.T) {
	t.Parallel()
	for _, f := range fixtures() {
		if (f.curl == 0) != (f.reason == "") && f.why == "" {
			t.Errorf("%s: curl exits with %d, and nothing says why the reason is %q", f.name, f.curl, f.reason)
		}
	}
	onEngines(t, func(t *testing.T, newProber maker) {
		for _, f := range fixtures() {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				site := fakesite.New(t)
				site.SetRaw(f.answer)
				target := check.Target{URL: site.URL(), Settings: check.Settings{Method: check.MethodGet}}
				if f.text != "" {
					target.RequiredTexts = []string{f.text}
				}
				o := probeInTime(t.Context(), t, newProber(t), target)
				if up := o.Outcome == check.OutcomeUp; up != (f.reason == "") || o.Reason != f.reason || o.HTTPStatus != f.status {
					t.Errorf("got %+v", o)
				}
			})
		}
	}, fast, portable)
}

// TestFixturesInCurl shows that the table is right about curl, where that version is at hand.
func TestFixturesInCurl(t *testing.T) {
	t.Parallel()
	v, err := exec.CommandContext(t.Context(), "curl", "--version").Output()
	if err != nil {
		t.Fatalf("%v: make programs installs curl", err)
	}
	if !bytes.HasPrefix(v, []byte("curl 7.88.1 ")) {
		t.Skipf("the table knows curl 7.88.1, and this is %.12s", v)
	}
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			site := fakesite.New(t)
			site.SetRaw(f.answer)
			code := 0
			out, err := exec.CommandContext(t.Context(), "curl", "-sS", "-q", "--max-time", "20", "--noproxy", "*", site.URL()).CombinedOutput()
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				code = exit.ExitCode()
			}
			if code != f.curl {
				t.Errorf("curl exits with %d: %s", code, out)
			}
		})
	}
}
