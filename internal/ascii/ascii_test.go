package ascii_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/ascii"
)

func TestOnlyLettersOfASCIIHaveACase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b  string
		equal bool
	}{
		{"", "", true}, {"Content-Length", "cONTENT-lENGTH", true}, {"a", "ab", false}, {"a", "b", false},
		{"@[`{", "@[`{", true}, {"@", "`", false}, {"[", "{", false}, {"k", "\u212a", false}, {"\xc4", "\xe4", false}, {"\xc4", "\xc4", true},
	} {
		if got := ascii.EqualFold(c.a, []byte(c.b)); got != c.equal {
			t.Errorf("%q and %q: %t", c.a, c.b, got)
		}
	}
}

// FuzzEqualFold compares with the fold of the standard library, on bytes of ASCII.
func FuzzEqualFold(f *testing.F) {
	f.Add("Host", "hOST")
	f.Fuzz(func(t *testing.T, a, b string) {
		plain := func(r rune) rune { return r & 0x7f }
		a, b = strings.Map(plain, a), strings.Map(plain, b)
		if got := ascii.EqualFold([]byte(a), b); got != bytes.EqualFold([]byte(a), []byte(b)) {
			t.Errorf("%q and %q: %t", a, b, got)
		}
	})
}
