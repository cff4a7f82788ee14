package fault

import (
	"strconv"

	"google.golang.org/grpc/codes"
)

// Kind is the kind of a fault. Each stands for exactly one gRPC code.
type Kind uint8

// The kinds. The zero value is Internal: an unclassified error is our own mistake.
const (
	// Internal is a broken promise inside Jetmon. Callers see no detail of it.
	Internal Kind = iota
	// Invalid is a request that can never succeed unchanged.
	Invalid
	// NotFound is a request for something that does not exist.
	NotFound
	// AlreadyExists is a request to create something that exists.
	AlreadyExists
	// Conflict is a lost race: read again, then try again (ABORTED).
	Conflict
	// Fenced is a write by a former owner (FAILED_PRECONDITION).
	Fenced
	// Unavailable is a temporary failure: try again later.
	Unavailable
	// Unauthenticated is a request without valid credentials.
	Unauthenticated
	// Exhausted is a request beyond a limit: try again, more slowly.
	Exhausted
	// Denied is a request that its caller may not make, whoever that is (PERMISSION_DENIED).
	Denied
	// Gone is a request for what is not there any more, or not yet (OUT_OF_RANGE).
	Gone
)

// Code returns the gRPC code that k stands for.
func (k Kind) Code() codes.Code {
	switch k {
	case Invalid:
		return codes.InvalidArgument
	case NotFound:
		return codes.NotFound
	case AlreadyExists:
		return codes.AlreadyExists
	case Conflict:
		return codes.Aborted
	case Fenced:
		return codes.FailedPrecondition
	case Unavailable:
		return codes.Unavailable
	case Unauthenticated:
		return codes.Unauthenticated
	case Exhausted:
		return codes.ResourceExhausted
	case Denied:
		return codes.PermissionDenied
	case Gone:
		return codes.OutOfRange
	case Internal:
		return codes.Internal
	}
	return codes.Internal
}

// String returns the name of k in lower-case words, for logs.
func (k Kind) String() string {
	switch k {
	case Internal:
		return "internal"
	case Invalid:
		return "invalid"
	case NotFound:
		return "not found"
	case AlreadyExists:
		return "already exists"
	case Conflict:
		return "conflict"
	case Fenced:
		return "fenced"
	case Unavailable:
		return "unavailable"
	case Unauthenticated:
		return "unauthenticated"
	case Exhausted:
		return "exhausted"
	case Denied:
		return "denied"
	case Gone:
		return "gone"
	}
	return "kind " + strconv.Itoa(int(k))
}
