package main

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// What the API refuses of a token, the command refuses on a database as well.
func TestATokenThatCannotBeMeantIsNotMade(t *testing.T) {
	t.Parallel()
	db := "--db=sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
	if code, _, stderr := run(t, nil, "migrate", db); code != exitOK {
		t.Fatal(stderr)
	}
	blogs := func(n int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = strconv.Itoa(i + 1)
		}
		return "--blog=" + strings.Join(all, ",")
	}
	const name, scope = "--name=t", "--scope=sites:read"
	for want, args := range map[string][]string{
		"--blog: must be the id of a blog, is \"\"":  {name, scope, "--blog="},
		"--blog: must be the id of a blog, is \"x\"": {name, scope, "--blog=7", "--blog=8,x"},
		"token.blog_ids[1]: must be greater than 0":  {name, scope, "--blog=7,0"},
		"token.blog_ids[0]: must be greater than 0":  {name, scope, "--blog=-7"},
		"token.blog_ids: must be at most 100":        {name, scope, blogs(101)},
		"--for: must be longer than 0":               {name, scope, "--for=0d"},
		"token.name: must not contain white space":   {"--name=a b", scope},
		"token.scopes[0]: there is no scope":         {name, "--scope=king"},
		"cannot have admin":                          {name, "--scope=admin", "--blog=7"},
	} {
		code, stdout, stderr := run(t, nil, append([]string{"tokens", "create", db}, args...)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d, %q %q, want %q", args, code, stdout, stderr, want)
		}
	}
	if code, _, stderr := run(t, nil, "tokens", "create", db, name, scope, blogs(100), "--for=1d"); code != exitOK {
		t.Error(stderr)
	}
	code, stdout, stderr := run(t, nil, "tokens", "list", db)
	if code != exitOK || strings.Count(stdout, "\n") != 2 {
		t.Errorf("exit code %d, %q %q, want one token", code, stdout, stderr)
	}
	if code, _, stderr := run(t, nil, "tokens", "list", db, "--limit=20000"); code != exitOK {
		t.Errorf("a limit beyond a page: %q", stderr)
	}
}
