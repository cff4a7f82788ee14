package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// File is a configuration file that was parsed. A value that cannot be used is no reason to
// fail at once: Err returns the first one, and Settings has them all.
type File struct {
	Kind     Kind
	Settings []Setting

	// Flags are the values of flags, by command and name: a text, or []any of texts. Those
	// of Jetmon's own file have no command.
	Flags map[string]map[string]any
	// Verifliers are those of v1's config.json.
	Verifliers []Member
	// Token is WordPress.com's token; Accepted are the tokens that callers must show.
	Token    string
	Accepted []string
}

// Member is one veriflier of a panel.
type Member struct{ Name, Region, Host, Port, Token string }

// Setting is one key of a file with its value.
type Setting struct {
	Key Key
	// Known means that Key is a row of the table; always false in Jetmon's own file.
	Known bool
	// Value is the value as it stands in the file. It may be a secret.
	Value string
	// Line is where it stands, 0 when that is not known.
	Line int
	// Note is more about this value, in one line, in addition to Key.Here; may be empty.
	Note string
	// Err is why the value is refused.
	Err error
}

// Shown returns the value for people: a secret is masked.
func (s Setting) Shown() string {
	if s.Key.Secret && s.Value != "" && s.Value != `""` && s.Value != "null" {
		return "***"
	}
	return s.Value
}

// Err returns the first value that is refused.
func (f *File) Err() error {
	for _, s := range f.Settings {
		switch {
		case s.Err == nil:
		case f.Kind == Database:
			return fmt.Errorf("line %d: %w", s.Line, s.Err)
		case f.Kind == Own:
			return fmt.Errorf("line %d: %s: %w", s.Line, s.Key.Name, s.Err)
		default:
			return fmt.Errorf("%s: %w", s.Key.Name, s.Err)
		}
	}
	return nil
}

// Flag returns the value that the file has for a flag of a command, nil when it has none.
func (f *File) Flag(command, flag string) any {
	if f.Kind == Own {
		command = ""
	}
	return f.Flags[command][flag]
}

func (f *File) set(command, flag string, value any) {
	if f.Flags == nil {
		f.Flags = map[string]map[string]any{}
	}
	if f.Flags[command] == nil {
		f.Flags[command] = map[string]any{}
	}
	f.Flags[command][flag] = value
}

// Ignored returns the settings of v1's file that have no effect on a command.
func (f *File) Ignored(command string) []Setting {
	var out []Setting
	for _, s := range f.Settings {
		if f.Kind != Own && s.Key.Command != command {
			out = append(out, s)
		}
	}
	return out
}

// Unknown returns an error for the first key of Jetmon's own file that is none of these
// flags. others are flags of other commands, with the command.
func (f *File) Unknown(flags []string, others map[string]string) error {
	known := map[string]bool{}
	for _, name := range flags {
		known[name] = true
	}
	for _, s := range f.Settings {
		name := s.Key.Name
		switch {
		case f.Kind != Own || known[name]:
		case others[name] != "":
			return fmt.Errorf("line %d: %s is a flag of jetmon %s", s.Line, name, others[name])
		default:
			return fmt.Errorf("line %d: there is no flag %s%s", s.Line, name, didYouMean(name, flags))
		}
	}
	return nil
}

// variable is a line of an environment file.
var variable = regexp.MustCompile(`^(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)$`)

// Recognise returns the kind of file that a text is.
func Recognise(text []byte) Kind {
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	switch {
	case bytes.HasPrefix(trimmed, []byte("{")):
		return recogniseJSON(trimmed)
	case bytes.Contains(text, []byte("$db_servers")):
		return Database
	}
	variables := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case variable.MatchString(line):
			variables++
		default:
			return Own
		}
	}
	if variables > 0 {
		return Environment
	}
	return Own
}

// Parse reads a file of any kind. home is the folder at which relative paths of v1's files
// start. An error means that the file as a whole cannot be read.
func Parse(text []byte, home string) (*File, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	f := &File{Kind: Recognise(text)}
	switch f.Kind {
	case Monitor, Veriflier:
		return f, f.parseJSON(text, home)
	case Database:
		return f, f.parseDatabase(string(text))
	case Environment:
		f.parseEnvironment(string(text))
		return f, nil
	}
	return f, f.parseOwn(text)
}

func (f *File) parseEnvironment(text string) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		m := variable.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		key, known := Lookup(Environment, m[1])
		f.Settings = append(f.Settings, Setting{Key: key, Known: known, Value: strings.Trim(m[2], `"'`), Line: n})
	}
}
