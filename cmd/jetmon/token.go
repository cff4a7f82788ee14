package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// readTokens reads one token per line. It skips blank lines and lines that begin with #.
func readTokens(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var tokens []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && line[0] != '#' {
			tokens = append(tokens, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("%s holds no token", path)
	}
	return tokens, nil
}

// readToken reads a file that holds exactly one token.
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
