// Package contexts owns the file in which a person keeps the coordinators that they ask: one
// context each, with a name, an address and the files of its credentials.
//
// The file holds no secret, only the paths of files that do. The package reads no
// environment: the caller says where the file is.
package contexts

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Context is a coordinator and how it is asked.
type Context struct {
	// Server is the HOST:PORT of the coordinator.
	Server string `yaml:"server" json:"server"`
	// CA, Cert and Key are files in PEM: the authority to trust, and what to show.
	CA   string `yaml:"ca,omitempty" json:"ca,omitempty"`
	Cert string `yaml:"cert,omitempty" json:"cert,omitempty"`
	Key  string `yaml:"key,omitempty" json:"key,omitempty"`
	// TokenFile is the file with the token to send.
	TokenFile string `yaml:"token_file,omitempty" json:"token_file,omitempty"`
	// TLS dials with TLS even on loopback, Insecure without it even beyond.
	TLS      bool `yaml:"tls,omitempty" json:"tls,omitempty"`
	Insecure bool `yaml:"insecure,omitempty" json:"insecure,omitempty"`
}

// File is the content of the file. The zero value is that of a file that is not there.
type File struct {
	// Current is the name of the context that is used when none is named; may be empty.
	Current string `yaml:"current,omitempty" json:"current"`
	// Contexts are all contexts, by name.
	Contexts map[string]Context `yaml:"contexts,omitempty" json:"contexts"`
}

// maxBytes bounds the file.
const maxBytes = 1 << 20

// Read reads the file at path; one that is not there has no contexts. Relative paths in it
// start at its folder.
func Read(path string) (File, error) {
	var f File
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err != nil:
		return f, err
	case len(text) > maxBytes:
		return f, fmt.Errorf("%s has more than %d bytes", path, maxBytes)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&f); err != nil && len(bytes.TrimSpace(text)) > 0 {
		return f, fmt.Errorf("%s: %s", path, strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " "))
	}
	dir := filepath.Dir(path)
	for name, c := range f.Contexts {
		for _, p := range []*string{&c.CA, &c.Cert, &c.Key, &c.TokenFile} {
			if *p != "" && !filepath.IsAbs(*p) {
				*p = filepath.Join(dir, *p)
			}
		}
		f.Contexts[name] = c
	}
	return f, nil
}

// Edit changes the file at path, while nobody else edits it. Where change fails, the file stays.
func Edit(path string, change func(*File) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	f, err := Read(path)
	if err != nil {
		return err
	}
	if err := change(&f); err != nil {
		return err
	}
	return f.Write(path)
}

// Write replaces the file at path, and makes its folder. Only its owner can read it.
func (f File) Write(path string) (err error) {
	text, err := yaml.Marshal(f)
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil { // as people who keep such files elsewhere have it
		path = real
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	next, err := os.CreateTemp(dir, ".contexts-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(next.Name())
		}
	}()
	_, err = next.Write(text)
	if err = errors.Join(err, next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}

// names are the characters of a name.
var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CheckName refuses what cannot be the name of a context.
func CheckName(name string) error {
	if !names.MatchString(name) {
		return fmt.Errorf("%q is no name of a context: letters, digits and . _ - are allowed, 64 at most", name)
	}
	return nil
}

// Named returns the context of a name.
func (f File) Named(name string) (Context, error) {
	c, ok := f.Contexts[name]
	if !ok {
		return c, fmt.Errorf("there is no context %q: jetmon context list shows them, jetmon context set makes one", name)
	}
	return c, nil
}
