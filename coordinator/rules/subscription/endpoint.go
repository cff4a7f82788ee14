package subscription

// EndpointError says that a subscription cannot be told, for one of its fields.
type EndpointError struct {
	// Field is the field's name in the API.
	Field string
	Err   error
}

func (e *EndpointError) Error() string { return e.Field + " " + e.Err.Error() }

// Unwrap returns what is wrong with the field.
func (e *EndpointError) Unwrap() error { return e.Err }
