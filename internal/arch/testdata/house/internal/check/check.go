// Package check is pure.
package check

import "strings"

// Site is a value.
type Site int

// Name is a value, too.
func (s Site) Name() string { return strings.Repeat("x", int(s)) }
