package cockpit

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// gatewayOf starts a gateway of a story's own, which it may end or stop, and returns its process.
func (s *system) gatewayOf(t *testing.T, listen string) (url string, process *os.Process) {
	t.Helper()
	url, err := s.startGateway("--listen=" + listen)
	if err != nil {
		t.Fatal(err)
	}
	processes.Lock()
	defer processes.Unlock()
	for _, cmd := range processes.all {
		process = cmd.Process
	}
	return url, process
}

// signal sends a signal to a process.
func signal(t *testing.T, process *os.Process, s os.Signal) {
	t.Helper()
	if err := process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// forgiveLoss forgives what a browser says of a gateway that is gone.
func (p *tab) forgiveLoss() {
	for _, part := range []string{"ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET"} {
		p.forgive(part)
	}
}

// heals waits until the page says that the connection stands again.
func (p *tab) heals() {
	p.t.Helper()
	p.seesNot("Connection lost")
	p.until("it is said to screen readers", `document.querySelector('[aria-live]').innerText.includes('stands again')`)
}

func TestALostConnectionIsSaidAndHeals(t *testing.T) {
	s := running(t)
	url, process := s.gatewayOf(t, "127.0.0.1:0")
	p := openAt(t, url, s.token(t, "fleet:read", "outages:read"), "/ui/fleet")
	p.forgiveLoss()
	p.sees("The monitor is well.")
	signal(t, process, syscall.SIGKILL)
	p.sees("Connection lost for")
	p.until("all figures were to be read anew", `/lost for ([6-9]|\d\d) s/.test(document.body.innerText)`)
	p.sees("The monitor is well.") // as it was
	if p.has(".problem") {
		t.Error("what the line at the bottom says is said again, between the figures")
	}
	p.shot("lost")
	s.gatewayOf(t, strings.TrimPrefix(url, "http://"))
	p.heals()
}

// Who drops packets refuses none: the stream stays open and no reading ends, while nothing comes any more.
func TestAGatewayThatFallsSilentIsLostAsWell(t *testing.T) {
	s := running(t)
	url, process := s.gatewayOf(t, "127.0.0.1:0")
	p := openAt(t, url, s.token(t, "fleet:read", "outages:read"), "/ui/fleet")
	p.forgiveLoss()
	p.sees("The monitor is well.")
	signal(t, process, syscall.SIGSTOP)
	p.sees("Connection lost for")
	signal(t, process, syscall.SIGCONT)
	p.heals()
}

// A page that asks only when it is told to learns by itself that it may ask again.
func TestAPageThatReadsNothingByItselfHeals(t *testing.T) {
	s := running(t)
	url, process := s.gatewayOf(t, "127.0.0.1:0")
	p := openAt(t, url, s.token(t, "checks:run"), "/ui/try?url=https://example.com/")
	p.forgiveLoss()
	p.sees("All verifliers look at a URL")
	signal(t, process, syscall.SIGKILL)
	p.press("Ask all verifliers")
	p.sees("Connection lost for")
	p.sees("The gateway does not answer.")
	s.gatewayOf(t, strings.TrimPrefix(url, "http://"))
	p.heals()
}
