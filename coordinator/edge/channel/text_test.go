package channel_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/channel/post"
)

func TestNoPartOfASecretIsKeptOfAnAnswer(t *testing.T) {
	t.Parallel()
	for length := 100; length <= 512; length += 103 {
		secret := strings.Repeat("s3sAme", 100)[:length]
		for echoes := range 40 {
			body := strings.Repeat(secret+" ", echoes)
			if text := channel.Judge(post.Reply{Status: 400, Body: []byte(body)}, secret).Text; strings.Contains(text, "s3s") {
				t.Fatalf("a secret of %d bytes, said %d times: %s", length, echoes, text)
			}
		}
	}
}

func TestAnAnswerControlsNoTerminal(t *testing.T) {
	t.Parallel()
	text := channel.Text("a\x1b[31mb\u009b31mc\u202ed\u2066e\u200bf\r\ng\xffh é \U0001F534")
	if text != "a [31mb 31mc d e f g?h é \U0001F534" {
		t.Errorf("%q", text)
	}
}

func TestOurOwnAddressIsNotInTheText(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer closed.Close()
	go func() {
		for {
			c, err := closed.Accept()
			if err != nil {
				return
			}
			_ = c.(*net.TCPConn).SetLinger(0)
			_, _ = c.Read(make([]byte, 1))
			_ = c.Close()
		}
	}()
	client := post.New(post.Options{AllowPrivate: true})
	defer client.Close()
	reply := client.Do(t.Context(), post.Request{URL: "http://" + closed.Addr().String()})
	if _, ok := errors.AsType[*net.OpError](reply.Err); !ok || strings.Contains(reply.Err.Error(), "->") || !strings.Contains(reply.Err.Error(), "reset") {
		t.Errorf("%v", reply.Err)
	}
	reply = client.Do(t.Context(), post.Request{URL: "http://there-is-none.invalid/"})
	if d, ok := errors.AsType[*net.DNSError](reply.Err); ok && d.Server != "" || reply.Err == nil {
		t.Errorf("%v", reply.Err)
	}
}
