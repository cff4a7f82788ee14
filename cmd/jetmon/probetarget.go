package main

import (
	"crypto/x509"
	"os"
	"strings"

	"github.com/Automattic/jetmon/internal/check"
)

// target is what is checked. What the flags cannot mean is a mistake of usage; what may
// not be probed is for the engine to say.
func (c *probeCommand) target() (check.Target, error) {
	t := check.Target{URL: c.URL, Timeout: c.Timeout}
	switch {
	case c.Timeout <= 0 || c.Timeout > check.MaxTimeout:
		return t, usagef("--timeout: must be from 1ms to %s, is %s", check.MaxTimeout, c.Timeout)
	case c.SlowAfter < 0:
		return t, usagef("--slow-after: must not be negative, is %s", c.SlowAfter)
	case c.Repeat < 1 || c.Repeat > maxRepeat:
		return t, usagef("--repeat: must be from 1 to %d, is %d", maxRepeat, c.Repeat)
	}
	for _, line := range c.Header {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return t, usagef("--header: %q is not 'NAME: VALUE'", line)
		}
		t.Headers = append(t.Headers, check.Header{Name: strings.TrimSpace(name), Value: strings.Trim(value, " \t")})
	}
	for flag, texts := range map[string][]string{"--require": c.Require, "--forbid": c.Forbid} {
		for _, text := range texts {
			if text == "" {
				return t, usagef("%s: must not be empty", flag)
			}
		}
	}
	t.RequiredTexts, t.ForbiddenTexts, t.SlowAfter = c.Require, c.Forbid, c.SlowAfter
	t.Method = map[string]check.Method{
		"head-then-get": check.MethodHeadThenGet, "head": check.MethodHead, "get": check.MethodGet,
	}[c.Method]
	if c.Redirects == "fail" {
		t.RedirectPolicy = check.RedirectFail
	}
	return t, nil
}

// readRoots reads the issuers to trust.
func readRoots(name string) (*x509.CertPool, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, usagef("--ca-file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, usagef("--ca-file: %s has no certificate in PEM", name)
	}
	return roots, nil
}
