package access

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// RoleToken is a secret that proves a role.
type RoleToken struct {
	Role Role
	// Name is the only node that the token is good for; empty means any node of the role.
	Name  string
	Token string
}

// Caller returns who has the token.
func (t RoleToken) Caller() Caller { return Caller{Role: t.Role, Name: t.Name} }

// ParseRoleTokens reads a file of role tokens: lines "ROLE TOKEN" or "ROLE/NAME TOKEN". It
// skips blank lines and those that begin with #. It never repeats a token in an error.
func ParseRoleTokens(r io.Reader) ([]RoleToken, error) {
	var all []RoleToken
	err := eachLine(r, func(fields []string) error {
		if len(fields) != 2 {
			return errors.New(`want "ROLE TOKEN" or "ROLE/NAME TOKEN", as "checker/checker-1 6f1c..."`)
		}
		name, node, named := strings.Cut(fields[0], "/")
		role, err := ParseRole(name)
		if err != nil {
			return errors.New("the line does not begin with a role (coordinator, checker, gateway or caller), which every token needs")
		}
		if named && CheckName(node) != nil {
			return fmt.Errorf("the name after %s/ %w", role, CheckName(node))
		}
		if err := CheckToken(fields[1]); err != nil {
			return err
		}
		all = append(all, RoleToken{Role: role, Name: node, Token: fields[1]})
		return nil
	})
	return all, err
}

// ParseToken reads the file of one token to send: its only line, of which the last word is
// the token. So a line of a file of role tokens will do.
func ParseToken(r io.Reader) (string, error) {
	var token string
	err := eachLine(r, func(fields []string) error {
		switch {
		case token != "":
			return errors.New("want one token, and this is the second")
		case len(fields) > 2:
			return errors.New(`want "TOKEN" or "ROLE/NAME TOKEN"`)
		}
		token = fields[len(fields)-1]
		return CheckToken(token)
	})
	return token, err
}

// eachLine calls read with the words of each line that is neither blank nor a comment.
func eachLine(r io.Reader, read func(fields []string) error) error {
	lines := bufio.NewScanner(r)
	some := false
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		some = true
		if err := read(strings.Fields(string(line))); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if !some {
		return errors.New("there is no token in it")
	}
	return nil
}

// A token has at least leastBits bits if its characters were chosen at random: a hexadecimal
// digit has 4, any other character up to 6. One that repeats few characters was not.
const (
	leastBits     = 128
	bitsOfHex     = 4
	bitsOfOther   = 6
	leastDistinct = 8
	longestToken  = 512
)

// CheckToken refuses a token that is easy to guess or that a header cannot carry.
func CheckToken(token string) error {
	bits, seen := bitsOfHex, map[byte]bool{}
	for i := range len(token) {
		c := token[i]
		if c <= ' ' || c > '~' {
			return errors.New("a token must be printable ASCII without spaces")
		}
		seen[c] = true
		if !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			bits = bitsOfOther
		}
	}
	switch {
	case len(token)*bits < leastBits || len(seen) < leastDistinct:
		return fmt.Errorf("the token has fewer than %d bits; `jetmon tokens role` makes a good one, and so does `openssl rand -hex 32`", leastBits)
	case len(token) > longestToken:
		return fmt.Errorf("the token is longer than %d characters", longestToken)
	}
	return nil
}
