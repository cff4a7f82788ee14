package cockpit

import (
	"strings"
	"testing"
)

func TestALostConnectionIsSaidAndHeals(t *testing.T) {
	s := running(t)
	url, err := s.startGateway("--listen=127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	last := processes.all[len(processes.all)-1]
	p := openAt(t, url, s.token(t, "fleet:read", "outages:read"), "/ui/fleet")
	p.forgive("ERR_CONNECTION_REFUSED")
	p.forgive("ERR_INCOMPLETE_CHUNKED_ENCODING")
	p.forgive("ERR_EMPTY_RESPONSE")
	p.forgive("ERR_CONNECTION_RESET")
	p.sees("The monitor is well.")
	if err := last.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.sees("Connection lost for")
	p.sees("The monitor is well.") // as it was
	p.shot("lost")
	if _, err := s.startGateway("--listen=" + strings.TrimPrefix(url, "http://")); err != nil {
		t.Fatal(err)
	}
	p.seesNot("Connection lost")
	p.until("it is said to screen readers", `document.querySelector('[aria-live]').innerText.includes('stands again')`)
}
