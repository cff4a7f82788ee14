package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

const (
	envPrefix  = "JETMON_"
	configFlag = "config"
)

// settings supplies values for flags that the command line does not set: first from the
// environment, then from v1's configuration file if --config names one.
type settings struct {
	program *program
	// err is a mistake in the file. Resolve cannot return it: kong would prefix it with the
	// name of whichever flag it resolved first.
	err error
}

// Validate accepts everything: the commands validate flag by flag.
func (s *settings) Validate(*kong.Application) error { return nil }

// Resolve returns the value of one flag, nil if it is not set.
func (s *settings) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if value, ok := s.fromEnv(flag.Value); ok {
		return value, nil
	}
	if flag.Name == configFlag || s.err != nil {
		return nil, nil
	}
	config, err := s.config(ctx)
	if err != nil {
		s.err = err
	}
	if config == nil {
		return nil, nil
	}
	return config.flags[flag.Name], nil
}

// config reads the file of --config, or of its variable, once.
func (s *settings) config(ctx *kong.Context) (*legacyConfig, error) {
	if s.program.legacy != nil {
		return s.program.legacy, nil
	}
	for _, flag := range ctx.Flags() {
		if flag.Name != configFlag {
			continue
		}
		path, _ := ctx.FlagValue(flag).(string)
		if value, ok := s.fromEnv(flag.Value); ok && path == "" {
			path, _ = value.(string)
		}
		if path == "" {
			return nil, nil
		}
		config, err := readLegacyConfig(path)
		if err != nil {
			return nil, fmt.Errorf("--config %s: %w", path, err)
		}
		s.program.legacy = config
		return config, nil
	}
	return nil, nil
}

// fromEnv reads a flag's variable. The values of a repeatable flag are separated by blanks.
func (s *settings) fromEnv(v *kong.Value) (any, bool) {
	if v.Name == "help" {
		return nil, false
	}
	text, ok := s.program.LookupEnv(envName(v.Name))
	if !ok || text == "" {
		return nil, false
	}
	if !v.IsSlice() {
		return text, true
	}
	list := []any{}
	for _, field := range strings.Fields(text) {
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
	if v.Flag == nil || v.Name == "help" {
		return v.Help
	}
	return fmt.Sprintf("%s [$%s]", v.Help, envName(v.Name))
}
