package wordpress

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Plugin adds a must-use plugin, PHP code without its opening tag, until the test ends.
func (s *Site) Plugin(t testing.TB, code string) { s.file(t, "wp-content/mu-plugins", "<?php\n"+code) }

// Config adds code to the beginning of wp-config.php until the test ends.
func (s *Site) Config(t testing.TB, code string) { s.file(t, "config.d", "<?php\n"+code) }

// file adds a PHP file to a directory until the test ends. Its name is new, because PHP
// remembers files by name and time.
func (s *Site) file(t testing.TB, dir, text string) {
	t.Helper()
	s.files++
	s.Put(t, fmt.Sprintf("%s/test%d.php", dir, s.files), text)
}

// Put makes a file in the directory of WordPress until the test ends.
func (s *Site) Put(t testing.TB, path, text string) {
	t.Helper()
	path = filepath.Join(s.Dir, path)
	if err := s.write(path, text); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	})
}

// PHP runs code inside WordPress, without its opening tag, and returns what it printed.
func (s *Site) PHP(t testing.TB, code string) string {
	t.Helper()
	return s.script(t, "run.php", code)
}

// Query runs statements in the site's database, and returns rows, one a line with tabs
// between the columns.
func (s *Site) Query(t testing.TB, sql string) string {
	t.Helper()
	rows, err := s.db.query(sql)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// script runs one of our scripts by the command line's PHP.
func (s *Site) script(t testing.TB, name, input string) string {
	t.Helper()
	php, err := find("php")
	if err != nil {
		t.Fatal(err)
	}
	code, err := scripts.ReadFile("php/" + name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, name)
	if err := s.write(path, string(code)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, php, "-d", "sendmail_path=/bin/true", "-d", "display_errors=stderr", path, s.Dir)
	cmd.Stdin = strings.NewReader(input)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v: %s%s", name, err, &complaints, &out)
	}
	return out.String()
}

// Stored returns the site's options that no visit changes, one a line: what a diagnosis
// must leave as it was. Nonces, the queue and what was sent from it, cron's own and
// Jetpack's record of refused calls are left out, because any visit writes these.
func (s *Site) Stored(t testing.TB) string {
	t.Helper()
	return s.Query(t, `SELECT option_name, MD5(option_value) FROM wp_options
		WHERE option_name NOT LIKE 'jetpack_nonce%' AND option_name NOT LIKE '%transient%'
		AND option_name NOT LIKE 'jpsq%' AND option_name NOT LIKE 'jp_sync%'
		AND option_name NOT LIKE '%sync_checksum' AND option_name NOT LIKE 'jetpack_sync_https_history%'
		AND option_name NOT IN ('cron', 'jetpack_plugin_api_action_links', 'recovery_keys', 'https_detection_errors', 'theme_mods_plain', 'jetpack_package_versions',
			'jetpack_connection_xmlrpc_errors', 'jetpack_connection_xmlrpc_verified_errors')
		ORDER BY option_name`)
}
