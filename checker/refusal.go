package checker

import (
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
)

// errorDomain is the domain of a coordinator's google.rpc.ErrorInfo.
const errorDomain = "jetmon.coordinator"

// While another process has its name, a checker tries again when the coordinator says, but
// at most takenMost later, in case the other one leaves. It adds up to takenJitter.
const (
	takenMost   = 5 * time.Second
	takenJitter = time.Second
)

// nameTaken is a coordinator's refusal of a session because another process has our name.
type nameTaken struct {
	again time.Duration // when the name is free if the other process is gone; 0 if unknown
	err   error
}

func (e *nameTaken) Error() string {
	return "another process works under the name of this checker and answers the coordinator; each checker needs a name of its own"
}

func (e *nameTaken) Unwrap() error { return e.err }

// refusal converts a coordinator's refusal to an error with its reason. It returns errors
// without such details unchanged.
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

// nextTry returns how long to wait after err ended or prevented a session, the last of a
// number of failures in a row. luck is from [0,1).
func nextTry(err error, failures int, luck float64) time.Duration {
	if taken, ok := errors.AsType[*nameTaken](err); ok && taken.again > 0 {
		return max(retries().Base, min(taken.again, takenMost)) + time.Duration(luck*float64(takenJitter))
	}
	return retries().Wait(failures, luck)
}
