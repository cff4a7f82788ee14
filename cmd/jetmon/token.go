package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/Automattic/jetmon/internal/access"
)

// othersRead is the permission of a file that lets everybody read it.
const othersRead = 0o004

// openSecret opens a file of tokens, unless everybody may read it.
func openSecret(path string) (*os.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&othersRead != 0 {
		err = fmt.Errorf("everybody on this machine may read %s: chmod o-r %s", path, path)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// readSecret reads a file of tokens with a function of package access.
func readSecret[T any](path string, read func(io.Reader) (T, error)) (T, error) {
	var none T
	file, err := openSecret(path)
	if err != nil {
		return none, err
	}
	defer file.Close()
	secret, err := read(file)
	if err != nil {
		return none, fmt.Errorf("%s: %w", path, err)
	}
	return secret, nil
}

// readRoleTokens reads the tokens of roles that a server accepts.
func readRoleTokens(path string) ([]access.RoleToken, error) {
	return readSecret(path, access.ParseRoleTokens)
}

// readRoleToken reads the token that a client sends.
func readRoleToken(path string) (string, error) { return readSecret(path, access.ParseToken) }

// readTokens reads a file with a token of others on each line, whatever it looks like. It
// skips blank lines and lines that begin with #.
func readTokens(path string) ([]string, error) {
	return readSecret(path, func(r io.Reader) (tokens []string, err error) {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" && line[0] != '#' {
				tokens = append(tokens, line)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, err
		}
		if len(tokens) == 0 {
			return nil, errors.New("there is no token in it")
		}
		return tokens, nil
	})
}

// readToken reads a file that holds exactly one token of others, as WordPress.com's.
func readToken(path string) (string, error) {
	tokens, err := readTokens(path)
	if err == nil && len(tokens) > 1 {
		err = fmt.Errorf("%s holds %d tokens, want one", path, len(tokens))
	}
	if err != nil {
		return "", err
	}
	return tokens[0], nil
}
