package lookup

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/net/dns/dnsmessage"
)

// Failure is the reason why a name has no addresses. It is not an error: it is what the
// name servers say.
type Failure struct {
	// Reason is nxdomain, servfail, refused, nodata, timeout, cname_loop, bad_answer, rcode_N,
	// resolver_unreachable or internal_error.
	Reason string
	// Detail explains the reason in a few words.
	Detail string
	// Ours is true when the failure is this node's and tells nothing about the name.
	Ours bool
	// TimedOut is true when the time was over before the servers had answered.
	TimedOut bool
}

func failed(reason, detail string) *Failure { return &Failure{Reason: reason, Detail: detail} }

func outOfTime() *Failure {
	return &Failure{Reason: "timeout", Detail: "no answer from the name servers", TimedOut: true}
}

// unreachable makes the failure of a node without name servers; silent tells that they said
// nothing, and not that they could not be asked.
func unreachable(silent bool) *Failure {
	f := &Failure{Reason: "resolver_unreachable", Detail: "this node cannot reach its name servers", Ours: true, TimedOut: silent}
	if silent {
		f.Detail = "this node's name servers answer nothing"
	}
	return f
}

// weight orders failures by how much they tell about the name.
func (f *Failure) weight() int {
	switch {
	case f.Reason == "nxdomain":
		return 4
	case f.Reason == "servfail":
		return 3
	case f.TimedOut:
		return 1
	case f.Ours:
		return 0
	}
	return 2
}

// ofCode returns the failure that a response code means.
func ofCode(code dnsmessage.RCode) *Failure {
	switch code {
	case dnsmessage.RCodeNameError:
		return failed("nxdomain", "the name does not exist")
	case dnsmessage.RCodeServerFailure:
		return failed("servfail", "the name servers failed")
	case dnsmessage.RCodeRefused:
		return failed("refused", "the name servers refused to answer")
	}
	n := strconv.Itoa(int(code))
	return failed("rcode_"+n, "the name servers answered with code "+n)
}

var (
	// errCut reports a truncated or malformed answer from a server whose TCP does not work.
	errCut = errors.New("answer is cut, and TCP does not work")
	// errNotOurs reports an answer over TCP to another question.
	errNotOurs = errors.New("answer does not belong to the question")
	// errName reports a host that no packet can carry.
	errName = errors.New("name has an empty or overlong part")
	// errLength reports an address of the wrong length.
	errLength = errors.New("address has the wrong length")
	// errClosed reports a socket that was closed before the question went out.
	errClosed = errors.New("socket is closed")
)

// bug carries a panic from a reader's goroutine to the lookup.
type bug struct{ value any }

func (b bug) Error() string { return fmt.Sprintf("panic: %v", b.value) }

// ofError classifies why a server could not be asked, or its answer not be read.
func ofError(err error) *Failure {
	if b, ok := errors.AsType[bug](err); ok {
		return &Failure{Reason: "internal_error", Detail: b.Error(), Ours: true}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return outOfTime()
	case errors.Is(err, errCut):
		return failed("bad_answer", "the name server's answer makes no sense")
	}
	return unreachable(false)
}
