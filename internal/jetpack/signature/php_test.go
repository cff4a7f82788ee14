//go:build wordpress

package signature

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/verified.json anew")

// TestPHPStillJudgesAsItDid asks the plugin's own classes in JETPACK_DIR, with the functions of
// Debian's WordPress. Another version may differ from the one that is kept, but must not differ
// from our verifier.
func TestPHPStillJudgesAsItDid(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("JETPACK_DIR")
	if dir == "" {
		t.Fatal("JETPACK_DIR must be the directory of a plugin with Jetpack's connection package")
	}
	asked := requests()
	input, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "php", "testdata/verify.php", dir, "/usr/share/wordpress")
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said := answered{Asked: asked}
	if err := json.Unmarshal(out, &said); err != nil || len(said.Answers) != len(asked) {
		t.Fatalf("%d answers, %v: %s", len(said.Answers), err, out)
	}
	for i, a := range asked {
		if got := a.answer(); got != said.Answers[i] {
			t.Errorf("%s: %s, PHP says %s: %q %q", a.Name, got, said.Answers[i], a.Host, a.URI)
		}
	}
	t.Logf("%d requests, %s", len(asked), said.Versions)
	if !*update {
		return
	}
	data, err := json.MarshalIndent(said, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("testdata/verified.json", append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
