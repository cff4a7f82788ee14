package checker

import (
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
)

// errorDomain is that of a coordinator's google.rpc.ErrorInfo.
const errorDomain = "jetmon.coordinator"

// A process whose name another one has tries again when the coordinator says so, at the
// latest after takenMost, in case the other one leaves, and up to takenJitter later.
const (
	takenMost   = 5 * time.Second
	takenJitter = time.Second
)

// nameTaken is why a coordinator gives us no session: another process has our name.
type nameTaken struct {
	again time.Duration // until the coordinator lets us have it if the other is gone; 0 when it does not say
	err   error
}

func (e *nameTaken) Error() string {
	return "another process works under the name of this checker and answers the coordinator; each checker needs a name of its own"
}

func (e *nameTaken) Unwrap() error { return e.err }

// refusal reads why a coordinator refuses us; errors that say no more than their text stay
// as they are.
func refusal(err error) error {
	var info *errdetails.ErrorInfo
	var again time.Duration
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			info = d
		case *errdetails.RetryInfo:
			again = d.GetRetryDelay().AsDuration()
		}
	}
	if info.GetDomain() != errorDomain {
		return err
	}
	switch info.GetReason() {
	case "VERSION_UNSUPPORTED":
		return otherVersion(info.GetMetadata(), err)
	case "NODE_NAME_TAKEN":
		return &nameTaken{again: again, err: err}
	}
	return err
}

// nextTry is how long to wait after a session that ended with err, or could not be had.
// luck is from [0,1).
func nextTry(err error, attempt int, luck float64) time.Duration {
	if taken, ok := errors.AsType[*nameTaken](err); ok && taken.again > 0 {
		return max(backoffBase, min(taken.again, takenMost)) + time.Duration(luck*float64(takenJitter))
	}
	return backoff(attempt, luck)
}
