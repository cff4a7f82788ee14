package gateway

import (
	"net"
	"testing"
)

func TestBeyondLoopbackAnAddressIsANameAndANameIsNot(t *testing.T) {
	t.Parallel()
	for _, local := range []string{"10.0.0.1", "192.0.2.7", "2001:db8::1"} {
		addr := &net.TCPAddr{IP: net.ParseIP(local), Port: 7802}
		for host, want := range map[string]bool{
			"localhost": true, "127.0.0.1": true, "10.0.0.1": true, "203.0.113.9": true, "2001:db8::1": true, "fe80::1%eth0": true,
			"evil.example": false, "10.0.0.1.evil.example": false, "": false, "0x0a000001": false, "10.1": false,
		} {
			if names(host, addr) != want {
				t.Errorf("%s at %s: %v", host, local, !want)
			}
		}
	}
	if names("evil.example", nil) {
		t.Error("a request that arrived nowhere")
	}
}
