package contexts

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAFileIsWrittenAndReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "config.yaml")
	if f, err := Read(path); err != nil || f.Current != "" || len(f.Contexts) > 0 {
		t.Errorf("a file that is not there: %+v, %v", f, err)
	}
	want := File{Current: "a", Contexts: map[string]Context{
		"a": {Server: "a:1", CA: filepath.Join(dir, "ca"), Cert: filepath.Join(dir, "c"), Key: filepath.Join(dir, "k"), TokenFile: filepath.Join(dir, "t"), TLS: true, Insecure: true},
		"b": {Server: "b:2"},
	}}
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "new", ".contexts-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestALinkToTheFileStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "link.yaml")
	if err := os.WriteFile(real, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	if err := (File{Current: "x"}).Write(link); err != nil {
		t.Fatal(err)
	}
	if f, err := Read(real); err != nil || f.Current != "x" {
		t.Errorf("%+v, %v", f, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
}

func TestRelativePathsStartAtTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("contexts: {a: {server: 'a:1', ca: ca.crt, token_file: /t}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if c := f.Contexts["a"]; err != nil || c.CA != filepath.Join(filepath.Dir(path), "ca.crt") || c.TokenFile != "/t" || c.Key != "" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestWhatIsNoFileOfContexts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"contexts: {a: {sever: x}}", "\tx", "contexts: 7"} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err := Read(path); err == nil {
			t.Errorf("%q is read as %+v", text, f)
		}
	}
	for _, name := range []string{"", "-x", "a b", "a/b", "ä"} {
		if CheckName(name) == nil {
			t.Errorf("%q is a name", name)
		}
	}
}

func TestEditsAtTheSameMomentLoseNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "config.yaml")
	const editors = 30
	errs := make(chan error)
	for i := range editors {
		go func() {
			errs <- Edit(path, func(f *File) error {
				if f.Contexts == nil {
					f.Contexts = map[string]Context{}
				}
				f.Contexts[fmt.Sprint("c", i)] = Context{Server: "a:1"}
				return nil
			})
		}()
	}
	for range editors {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if f, err := Read(path); err != nil || len(f.Contexts) != editors {
		t.Errorf("%d contexts of %d, %v", len(f.Contexts), editors, err)
	}
}

func TestAnEditThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := (File{Contexts: map[string]Context{"a": {Server: "a:1"}}}).Write(path); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	err := Edit(path, func(f *File) error {
		delete(f.Contexts, "a")
		return no
	})
	if f, readErr := Read(path); !errors.Is(err, no) || readErr != nil || len(f.Contexts) != 1 {
		t.Errorf("%v, %v: %v", err, readErr, f)
	}
}

func TestAFileThatIsFarTooLongIsNotRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, bytes.Repeat([]byte("#"), maxBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "has more than") {
		t.Errorf("%v", err)
	}
}
