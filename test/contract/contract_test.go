package contract

import (
	"bytes"
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/gocmd"
)

const root = "../.."

// buf runs the pinned buf in the repository's root. The first call on a machine compiles it.
func buf(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := gocmd.Command(ctx, append([]string{"tool", "-modfile=tools/go.mod", "buf"}, args...)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// files reads a directory tree: slash-separated relative path to content.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	tree := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		tree[path], err = os.ReadFile(filepath.Join(dir, path))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestGeneratedCodeIsWhatTheProtosSay(t *testing.T) {
	t.Parallel()
	committed := files(t, filepath.Join(root, "gen"))
	if len(committed) == 0 {
		t.Fatal("gen/ is empty")
	}
	out := t.TempDir()
	for _, run := range []string{"first", "second"} {
		for _, template := range []string{"buf.gen.yaml", "buf.gen.openapi.yaml"} {
			if msg, err := buf(t, "generate", "--template", template, "-o", out); err != nil {
				t.Fatalf("buf generate --template %s: %v\n%s", template, err, msg)
			}
		}
		generated := files(t, filepath.Join(out, "gen"))
		for _, path := range slices.Sorted(maps.Keys(committed)) {
			if content, ok := generated[path]; !ok {
				t.Errorf("%s run: gen/%s does not come from any proto; nothing in gen/ is handwritten", run, path)
			} else if !bytes.Equal(content, committed[path]) {
				t.Errorf("%s run: gen/%s is stale: run make generate", run, path)
			}
		}
		for _, path := range slices.Sorted(maps.Keys(generated)) {
			if _, ok := committed[path]; !ok {
				t.Errorf("%s run: gen/%s is missing: run make generate", run, path)
			}
		}
	}
}

func TestContractIsClean(t *testing.T) {
	t.Parallel()
	if out, err := buf(t, "lint"); err != nil {
		t.Errorf("buf lint: %v\n%s", err, out)
	}
}

// TestRulesBite changes a copy of the contract and wants buf to notice.
func TestRulesBite(t *testing.T) {
	t.Parallel()
	const file = "proto/jetmon/check/v1/check.proto"
	for _, tt := range []struct {
		name     string
		old, new string
		command  []string
		want     string
	}{
		{
			name:    "a field without a comment is refused by lint",
			old:     "  // The node's judgement.\n",
			new:     "",
			command: []string{"lint"},
			want:    "non-empty comment",
		},
		{
			name:    "an ignore comment does not silence lint",
			old:     "  // The node's judgement.\n",
			new:     "  // buf:lint:ignore COMMENT_FIELD\n",
			command: []string{"lint"},
			want:    "non-empty comment",
		},
		{
			name:    "a field with another number is a break",
			old:     "string detail = 14;",
			new:     "string detail = 99;",
			command: []string{"breaking", "--against", "."},
			want:    `field "14"`,
		},
		{
			name:    "a field with another name is a break, for JSON has it",
			old:     "string protocol = 10;",
			new:     "string wire = 10;",
			command: []string{"breaking", "--against", "."},
			want:    `Field "10"`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := copyContract(t)
			path := filepath.Join(dir, file)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			after := strings.Replace(string(before), tt.old, tt.new, 1)
			if after == string(before) {
				t.Fatalf("%s does not contain %q", file, tt.old)
			}
			if err := os.WriteFile(path, []byte(after), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := buf(t, slices.Insert(slices.Clone(tt.command), 1, dir)...)
			if err == nil {
				t.Fatalf("buf %s accepts it", strings.Join(tt.command, " "))
			}
			if !strings.Contains(out, tt.want) {
				t.Errorf("buf says %q; want something with %q", out, tt.want)
			}
		})
	}
}

// copyContract copies what buf reads into a temporary directory.
func copyContract(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, tree := range []string{"proto", "third_party/proto"} {
		if err := os.CopyFS(filepath.Join(dir, tree), os.DirFS(filepath.Join(root, tree))); err != nil {
			t.Fatal(err)
		}
	}
	config, err := os.ReadFile(filepath.Join(root, "buf.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "buf.yaml"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestVendoredProtosKeepTheirLicence(t *testing.T) {
	t.Parallel()
	vendored := files(t, filepath.Join(root, "third_party/proto"))
	if len(vendored) == 0 {
		t.Fatal("third_party/proto is empty")
	}
	for path, content := range vendored {
		head, _, _ := bytes.Cut(content, []byte("\nsyntax"))
		if !bytes.Contains(head, []byte("Copyright")) || !bytes.Contains(head, []byte("Apache License, Version 2.0")) {
			t.Errorf("third_party/proto/%s has lost its licence header", path)
		}
	}
}
