package maintenance

import "fmt"

// FieldError names a field of a maintenance and says what it must be.
type FieldError struct{ Field, Description string }

// Error returns, for example, "duration: must be from 1m0s to 31 days, is 0s".
func (e *FieldError) Error() string { return e.Field + ": " + e.Description }

func refuse(field, format string, args ...any) error {
	return &FieldError{Field: field, Description: fmt.Sprintf(format, args...)}
}

// maxQuote bounds the bytes of a caller's text that an error quotes.
const maxQuote = 64

func clip(text string, most int) string { return text[:min(len(text), most)] }
