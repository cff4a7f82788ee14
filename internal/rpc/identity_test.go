package rpc_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/rpc"
)

// elsewhere is a network whose only peer has a certain address, and keeps the first bytes
// that it is sent.
type elsewhere struct {
	address net.Addr
	first   chan byte
}

func (e elsewhere) Listen(string) (net.Listener, error) { return nil, net.ErrClosed }

func (e elsewhere) DialContext(context.Context, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		b := make([]byte, 1)
		if _, err := theirs.Read(b); err == nil {
			select {
			case e.first <- b[0]:
			default:
			}
		}
	}()
	return at{ours, e.address}, nil
}

type at struct {
	net.Conn
	address net.Addr
}

func (a at) RemoteAddr() net.Addr { return a.address }

func TestNoTokenLeavesTheMachineInClearUnlessToldSo(t *testing.T) {
	t.Parallel()
	const hello, preface = 0x16, 'P' // of TLS, and of HTTP/2 in plaintext
	far, near := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, &net.TCPAddr{IP: net.IPv4(127, 9, 9, 9), Port: 1}
	for _, tt := range []struct {
		name    string
		address net.Addr
		o       rpc.ClientOptions
		want    byte
	}{
		{"an address beyond loopback", far, rpc.ClientOptions{Token: "secret"}, hello},
		{"the same without a token", far, rpc.ClientOptions{}, hello},
		{"the same, plaintext asked for", far, rpc.ClientOptions{Token: "secret", Plaintext: true}, preface},
		{"loopback", near, rpc.ClientOptions{Token: "secret"}, preface},
		{"loopback of IPv6", &net.TCPAddr{IP: net.IPv6loopback}, rpc.ClientOptions{Token: "secret"}, preface},
		{"loopback, TLS asked for", near, rpc.ClientOptions{TLS: &tls.Config{MinVersion: tls.VersionTLS12}}, hello},
		{"TLS and plaintext asked for", far, rpc.ClientOptions{TLS: &tls.Config{MinVersion: tls.VersionTLS12}, Plaintext: true}, hello},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			network := elsewhere{tt.address, make(chan byte, 1)}
			tt.o.Network = network
			conn, err := rpc.Dial("a:1", tt.o)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.Connect()
			select {
			case got := <-network.first:
				if got != tt.want {
					t.Errorf("begins with %#x, want %#x", got, tt.want)
				}
			case <-time.After(10 * time.Second):
				t.Error("nothing was sent")
			}
		})
	}
}

// Tokens change on both sides while a connection exists, and it goes on.
func TestTokensChangeWhileAConnectionExists(t *testing.T) {
	t.Parallel()
	accepted := onlyFor(access.Coordinator, "old")
	l, err := rpc.TCP().Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, &service{}, rpc.ServerOptions{Access: accepted}, l)
	id := rpc.NewIdentity(rpc.ClientOptions{Token: "old"})
	conn, err := rpc.Dial(l.Addr().String(), rpc.ClientOptions{Identity: id})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	call := func(want codes.Code) {
		t.Helper()
		_, err := veriflierv1.NewVeriflierServiceClient(conn).Verify(t.Context(), &veriflierv1.VerifyRequest{RequestId: "x"})
		if status.Code(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	call(codes.OK)
	accepted.SetRoles([]access.RoleToken{{Role: access.Coordinator, Token: "new"}})
	call(codes.Unauthenticated)
	id.Set(rpc.ClientOptions{Token: "new"})
	call(codes.OK)
}
