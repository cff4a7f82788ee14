package fault

import (
	"strconv"

	"google.golang.org/grpc/codes"
)

// Kind is the class of a fault. Each stands for exactly one gRPC code.
type Kind uint8

// The kinds. The zero value is Internal: what nobody classed is our own mistake.
const (
	// Internal is a broken promise inside Jetmon. Callers read no detail of it.
	Internal Kind = iota
	// Invalid is a request that can never succeed as it is.
	Invalid
	// NotFound names something that does not exist.
	NotFound
	// AlreadyExists is a creation of what is there.
	AlreadyExists
	// Conflict is a lost race: read again, then try again (ABORTED).
	Conflict
	// Fenced is an act by someone who no longer owns the thing (FAILED_PRECONDITION).
	Fenced
	// Unavailable passes by itself: try again later.
	Unavailable
	// Unauthenticated is a caller without valid credentials.
	Unauthenticated
	// Exhausted is a limit that was reached: try again, slower.
	Exhausted
)

// Code is the gRPC code that k stands for.
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
	case Internal:
		return codes.Internal
	}
	return codes.Internal
}

// String names k in lower-case words, for logs.
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
	}
	return "kind " + strconv.Itoa(int(k))
}
