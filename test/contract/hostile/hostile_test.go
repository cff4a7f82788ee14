package hostile

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ending is how a bad request must end.
type ending int

const (
	// inWords: with a code that says that the request was at fault, and a message that names
	// the field or the reason.
	inWords ending = iota
	// atHTTP: the same, but at the level of HTTP: status 400 to 499. gRPC's own library sends
	// the code INTERNAL with it, as the protocol's definition has it (A41).
	atHTTP
	// notAnswered: the stream or its connection is reset, as HTTP/2 demands it.
	notAnswered
	// refusedSomehow: inWords, or notAnswered.
	refusedSomehow
	// inFraming: as refusedSomehow, or with the code INTERNAL that gRPC's library sends for what
	// is no frame, or more than one; no handler has seen the request.
	inFraming
	// timedOut: with DEADLINE_EXCEEDED.
	timedOut
	// harmless: any answer that does not blame the server.
	harmless
)

// bad is one request that is at fault.
type bad struct {
	name    string
	request request
	ending  ending
	want    string // in the message
}

// judge returns what is wrong with an answer.
func (b bad) judge(a answer) error {
	words := a.reset == "" && refused(a.code) && isNamed(a.message, b.want)
	blames := a.code == codes.Internal || a.code == codes.Unknown || a.code == codes.Unavailable || a.code == codes.DataLoss
	good := false
	switch b.ending {
	case inWords:
		good = words
	case atHTTP:
		good = a.http >= 400 && a.http < 500 && isNamed(a.message, b.want)
	case notAnswered:
		good = a.reset != "" || a.http >= 400 && a.http < 500
	case refusedSomehow:
		good = words || a.reset != ""
	case inFraming:
		good = words || a.reset != "" || a.code == codes.Internal && isNamed(a.message, "")
	case harmless:
		good = a.reset != "" || !blames
	case timedOut:
		good = a.code == codes.DeadlineExceeded && isNamed(a.message, b.want)
	}
	if !good {
		return fmt.Errorf("ended with %v", a)
	}
	return nil
}
