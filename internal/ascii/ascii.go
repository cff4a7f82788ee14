// Package ascii compares names of protocols (DNS, HTTP), in which only the letters of ASCII
// have a case. [bytes.EqualFold] would take other letters for them, such as the Kelvin sign
// for a k. Nothing in it allocates.
//
// The package is pure.
package ascii

// EqualFold reports whether two names are equal but for the case of ASCII letters.
func EqualFold[A, B ~string | ~[]byte](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if Lower(a[i]) != Lower(b[i]) {
			return false
		}
	}
	return true
}

// Lower returns the small letter of a capital one, and any other byte as it is.
func Lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
