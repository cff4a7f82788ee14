package gateway

// These limits are for the tests.
const (
	CallTimeout  = callTimeout
	MaxBodyBytes = maxBodyBytes
)
