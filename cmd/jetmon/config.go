package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/config"
)

// configCommand is `jetmon config`.
type configCommand struct {
	Explain explainConfigCommand `cmd:"" help:"Print what each key of a configuration file meant in v1 and what it does here."`
}

// explainConfigCommand is `jetmon config explain`.
type explainConfigCommand struct {
	File string `arg:"" optional:"" help:"config.json, veriflier.json, db-config.conf or .env of v1, or Jetmon's own file; without one, every key of v1's."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run prints the table. It fails if a value of the file is refused.
func (c *explainConfigCommand) Run(p *program) error {
	if c.File == "" {
		var all []format.ConfigFile
		for _, kind := range config.LegacyKinds() {
			all = append(all, format.ConfigFile{Kind: kind.String(), Rows: config.Table(kind)})
		}
		return format.Config(p.Out, all, c.JSON)
	}
	file, err := parseConfig(c.File)
	if err != nil {
		return usagef("%s: %w", c.File, err)
	}
	help, err := p.flagHelp()
	if err != nil {
		return err
	}
	rows := file.Explain(help)
	if err := format.Config(p.Out, []format.ConfigFile{{File: c.File, Kind: file.Kind.String(), Rows: rows}}, c.JSON); err != nil {
		return err
	}
	if slices.ContainsFunc(rows, func(r config.Row) bool { return r.Effect == config.Refused }) {
		return exitCode(exitFailed)
	}
	return nil
}

// flagHelp describes the flags of the roles, with the commands that have them.
func (p *program) flagHelp() (map[string]string, error) {
	parser, err := newParser(p, &commands{}, &settings{program: p})
	if err != nil {
		return nil, err
	}
	help, of := map[string]string{}, map[string][]string{}
	for _, node := range parser.Model.Children {
		if len(readable(node.Name)) == 0 {
			continue
		}
		for _, flag := range node.Flags {
			if flag.Name != "help" && flag.Name != configFlag {
				help[flag.Name] = flag.Help
				of[flag.Name] = append(of[flag.Name], node.Name)
			}
		}
	}
	for name := range maps.Keys(help) {
		help[name] += " (" + strings.Join(of[name], ", ") + ")"
	}
	return help, nil
}
