//go:build wordpress

package wordpress

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the records of testdata anew")

// record is what sites of the same versions answered, as kept in testdata. There the first
// line tells the versions.
type record struct {
	versions, name string
	text           strings.Builder
}

// recordOf begins a record of a site.
func recordOf(t testing.TB, s *Site) *record {
	t.Helper()
	found := strings.Fields(s.PHP(t, `require_once ABSPATH . 'wp-admin/includes/plugin.php';
		$file = get_option( 'active_plugins' )[0];
		echo $wp_version, ' ', dirname( $file ), ' ', get_plugin_data( WP_PLUGIN_DIR . '/' . $file )['Version'], ' ', PHP_VERSION;`))
	if len(found) != 4 {
		t.Fatalf("versions %q", found)
	}
	return &record{
		versions: fmt.Sprintf("WordPress %s, %s %s, PHP %s\n", found[0], found[1], found[2], found[3]),
		name:     fmt.Sprintf("wordpress-%s-%s-%s", found[0], found[1], found[2]),
	}
}

// ask asks a site and notes the answers below a heading.
func (r *record) ask(t testing.TB, heading string, s *Site, questions []question) {
	t.Helper()
	fmt.Fprintf(&r.text, "\n%s\n", heading)
	for _, q := range questions {
		shape := q.call(t, s.URL, s.CoreURL).shape()
		fmt.Fprintf(&r.text, "    %-26s %s\n", q.name, strings.ReplaceAll(shape, s.Host, "HOST"))
	}
}

// compare fails the test where the answers differ from those that are kept, line by line.
// Versions that nobody has recorded are recorded by TESTFLAGS=-update.
func (r *record) compare(t testing.TB, part string) {
	t.Helper()
	path := filepath.Join("testdata", r.name+"-"+part+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(r.versions+r.text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("nothing is recorded of %smake test-wordpress TESTFLAGS=-update records it", r.versions)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(kept), "\n")
	want, got := strings.Split(text, "\n"), strings.Split(r.text.String(), "\n")
	heading := ""
	for i := range max(len(want), len(got)) {
		a, b := line(want, i), line(got, i)
		if !strings.HasPrefix(b, " ") {
			heading = b
		}
		if a != b {
			t.Errorf("%s:\n got %s\nkept %s", heading, b, a)
		}
	}
}

func line(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}
