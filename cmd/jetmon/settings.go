package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/alecthomas/kong"
)

const envPrefix = "JETMON_"

// noEnv is the tag of a flag that has no variable: what it says is meant for one command.
const noEnv = "noenv"

// settings supplies values for flags that the command line does not set: first from the
// environment, then from the configuration files.
type settings struct {
	program *program
	read    bool
	// err is a mistake in a file. Resolve cannot return it: kong would prefix it with the
	// name of whichever flag it resolved first.
	err error
	// context are the values that the context of a client command has for its flags; nil
	// until it was read.
	context map[string]string
}

// Validate accepts everything: the commands validate flag by flag.
func (s *settings) Validate(*kong.Application) error { return nil }

// Resolve returns the value of one flag, nil if it is not set.
func (s *settings) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if value, ok := s.fromEnv(flag.Value); ok {
		return value, nil
	}
	if flag.Name == configFlag || flag.Name == "help" || ctx.Selected() == nil {
		return nil, nil
	}
	if !s.read {
		s.read = true
		s.err = s.readFiles(ctx)
	}
	if s.err != nil {
		return nil, nil
	}
	if value, err := s.fromContext(ctx, flag); value != "" || err != nil {
		s.err = err
		return value, nil
	}
	return s.program.files.flag(ctx.Selected().Name, flag.Name), nil
}

// fromContext returns the value that the context has for a flag of a command that asks a
// coordinator; empty when it has none.
func (s *settings) fromContext(ctx *kong.Context, flag *kong.Flag) (string, error) {
	isClient := slices.ContainsFunc(ctx.Flags(), func(f *kong.Flag) bool { return f.Name == "context" })
	if !isClient {
		return "", nil
	}
	if s.context == nil {
		if err := s.readContext(ctx); err != nil {
			return "", err
		}
	}
	return s.context[flag.Name], nil
}

// readFiles reads the files that the flags or their variables name, and those of v1 that
// stand beside them.
func (s *settings) readFiles(ctx *kong.Context) (err error) {
	command, f := ctx.Selected().Name, &s.program.files
	if f.configPath = s.path(ctx, configFlag); f.configPath != "" && len(readable(command)) > 0 {
		if f.config, err = readConfig(f.configPath, command, ctx.Model); err != nil {
			return fmt.Errorf("--config %s: %w", f.configPath, err)
		}
	}
	if f.databasePath = s.path(ctx, databaseFlag); f.databasePath != "" {
		if f.database, err = readDatabase(f.databasePath); err != nil {
			return fmt.Errorf("--db-config %s: %w", f.databasePath, err)
		}
	}
	return f.besideV1(command)
}

// path returns the value of a flag that names a file, "" if the command has no such flag.
func (s *settings) path(ctx *kong.Context, name string) string {
	for _, flag := range ctx.Flags() {
		if flag.Name != name {
			continue
		}
		if path, _ := ctx.FlagValue(flag).(string); path != "" {
			return path
		}
		if value, ok := s.fromEnv(flag.Value); ok {
			return fmt.Sprint(value)
		}
		if value := s.program.files.flag(ctx.Selected().Name, name); value != nil {
			return fmt.Sprint(value)
		}
	}
	return ""
}

// fromEnv reads a flag's variable. The values of a repeatable flag are separated by blanks.
func (s *settings) fromEnv(v *kong.Value) (any, bool) {
	if v.Name == "help" || v.Tag.Has(noEnv) {
		return nil, false
	}
	text, ok := "", false
	for _, name := range append([]string{v.Name}, v.Tag.Aliases...) {
		if text, ok = s.program.LookupEnv(envName(name)); ok && text != "" {
			break
		}
	}
	if !ok || text == "" {
		return nil, false
	}
	if !v.IsSlice() {
		return text, true
	}
	list := []any{}
	// Blanks separate, and what does on the command line.
	separates := func(r rune) bool { return unicode.IsSpace(r) || r == v.Tag.Sep }
	for _, field := range strings.FieldsFunc(text, separates) {
		list = append(list, field)
	}
	return list, true
}

// envName returns the variable of a flag: JETMON_PEER_OFFLINE_LIMIT for --peer-offline-limit.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// helpWithEnv appends the variable to the help text of a flag.
func helpWithEnv(v *kong.Value) string {
	if v.Flag == nil || v.Name == "help" || v.Tag.Has(noEnv) {
		return v.Help
	}
	return fmt.Sprintf("%s [$%s]", v.Help, envName(v.Name))
}
