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

// settings gives values to the flags that the command line does not name: first
// from the environment, then from v1's configuration file when --config names one.
type settings struct {
	program *program
	// err is what is wrong with the file. Resolve cannot say so: kong would put the
	// name of the flag in front that happened to be asked for first.
	err error
}

// Validate has nothing to say: values are judged flag by flag.
func (s *settings) Validate(*kong.Application) error { return nil }

// Resolve returns the value of one flag, nil when nobody has set it.
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

// config reads the file that --config or its variable names, once.
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

// fromEnv reads a flag's variable. A repeatable flag takes several values, separated by blanks.
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

// envName is the variable of a flag: --peer-offline-limit is JETMON_PEER_OFFLINE_LIMIT.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// helpWithEnv puts the variable behind the help text of a flag.
func helpWithEnv(v *kong.Value) string {
	if v.Flag == nil || v.Name == "help" {
		return v.Help
	}
	return fmt.Sprintf("%s [$%s]", v.Help, envName(v.Name))
}
