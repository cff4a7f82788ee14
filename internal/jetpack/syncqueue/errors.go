package syncqueue

// Error is a refusal by the queue; its value is Jetpack's name for it.
type Error string

// The refusals. See Error.Error for their texts.
const (
	// ErrUnclosedBuffer means that a buffer is checked out, or the queue is locked.
	ErrUnclosedBuffer Error = "unclosed_buffer"
	// ErrNotABuffer means that the returned buffer was never one.
	ErrNotABuffer Error = "not_a_buffer"
	// ErrNotCheckedOut means that no buffer is checked out; the last one may have expired.
	ErrNotCheckedOut Error = "buffer_not_checked_out"
	// ErrMismatch means that another buffer is checked out.
	ErrMismatch Error = "buffer_mismatch"
	// ErrLockTimeout means that the queue did not become empty in time.
	ErrLockTimeout Error = "lock_timeout"
)

// Error is Jetpack's text, as it appears in PHP logs.
func (e Error) Error() string {
	switch e {
	case ErrUnclosedBuffer:
		return "There is an unclosed buffer"
	case ErrNotABuffer:
		return `You must checkin an instance of Automattic\Jetpack\Sync\Queue_Buffer`
	case ErrNotCheckedOut:
		return "There are no checked out buffers"
	case ErrMismatch:
		return "The buffer you checked in was not checked out"
	case ErrLockTimeout:
		return "Timeout waiting for sync queue to empty"
	}
	return string(e)
}

// Code is Jetpack's name for the error.
func (e Error) Code() string { return string(e) }
