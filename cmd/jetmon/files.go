package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/Automattic/jetmon/internal/config"
)

const (
	configFlag   = "config"
	databaseFlag = "db-config"
	// besideConfig is the name under which v1 had its database's configuration.
	besideConfig = "db-config.conf"
)

// maxConfigBytes bounds a configuration file.
const maxConfigBytes = 1 << 20

// files are the configuration files that one command line reads. The zero value has none.
type files struct {
	// config is that of --config, database v1's db-config.conf; each may be nil.
	config, database *config.File
	// paths are where they are.
	configPath, databasePath string
	// found are values for flags from what v1 had at fixed places.
	found map[string]any
}

// readable lists which kinds of --config a command reads.
func readable(command string) []config.Kind {
	return map[string][]config.Kind{
		"coordinator": {config.Own, config.Monitor},
		"checker":     {config.Own, config.Monitor},
		"veriflier":   {config.Own, config.Veriflier},
		"gateway":     {config.Own},
		"migrate":     {config.Own, config.Monitor},
	}[command]
}

// flag returns the value that the files have for a flag of a command, nil if they have none.
func (f *files) flag(command, name string) any {
	if name == "db" {
		command = "coordinator" // the others work on its database
	}
	for _, file := range []*config.File{f.config, f.database} {
		if file == nil {
			continue
		}
		if value := file.Flag(command, name); value != nil {
			return value
		}
	}
	return f.found[name]
}

// readConfig reads and checks a file for a command.
func readConfig(path, command string, model *kong.Application) (*config.File, error) {
	file, err := parseConfig(path)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(readable(command), file.Kind) {
		return nil, fmt.Errorf("is %s, which `jetmon %s` does not read", file.Kind, command)
	}
	if err := file.Err(); err != nil {
		return nil, err
	}
	flags, others := flagNames(model, command)
	if command == "migrate" { // it reads the file of a coordinator
		for name := range others {
			flags = append(flags, name)
		}
	}
	return file, file.Unknown(flags, others)
}

// flagNames returns the flags of a command, and those that only other commands have, each
// with one of these.
func flagNames(model *kong.Application, command string) (flags []string, others map[string]string) {
	others = map[string]string{}
	for _, node := range model.Children {
		for _, flag := range node.Flags {
			if node.Name == command {
				flags = append(flags, flag.Name)
			} else if len(readable(node.Name)) > 0 {
				others[flag.Name] = node.Name
			}
		}
	}
	for _, name := range flags {
		delete(others, name)
	}
	return slices.DeleteFunc(flags, func(name string) bool { return name == configFlag || name == "help" }), others
}

func parseConfig(path string) (*config.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	if info.Size() > maxConfigBytes {
		return nil, fmt.Errorf("has %d bytes, more than %d", info.Size(), maxConfigBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	return config.Parse(text, home(path))
}

// home is the folder in which v1 ran, where its relative paths start: the one above config/.
func home(path string) string {
	dir := filepath.Dir(path)
	if abs, err := filepath.Abs(path); err == nil {
		dir = filepath.Dir(abs)
	}
	if filepath.Base(dir) == "config" {
		return filepath.Dir(dir)
	}
	return dir
}

// readDatabase reads v1's db-config.conf.
func readDatabase(path string) (*config.File, error) {
	file, err := parseConfig(path)
	if err == nil && file.Kind != config.Database {
		err = fmt.Errorf("is %s, not %s", file.Kind, config.Database)
	}
	if err != nil {
		return nil, err
	}
	return file, file.Err()
}

// besideV1 looks for what v1 had at fixed places: the database's configuration beside
// config.json, and WordPress.com's client certificate.
func (f *files) besideV1(command string) error {
	if f.config == nil || f.config.Kind != config.Monitor || command == "checker" {
		return nil
	}
	beside := filepath.Join(filepath.Dir(f.configPath), besideConfig)
	if f.database == nil && exists(beside) {
		var err error
		if f.database, err = readDatabase(beside); err != nil {
			return fmt.Errorf("%s beside --config: %w", beside, err)
		}
		f.databasePath = beside
	}
	cert := filepath.Join(home(f.configPath), "certs", "jetmon.crt")
	key := filepath.Join(home(f.configPath), "certs", "jetmon.key")
	if exists(cert) && exists(key) {
		f.found = map[string]any{"wpcom-cert": cert, "wpcom-key": key}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
