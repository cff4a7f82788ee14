package main

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/contexts"
)

// contextCommand is `jetmon context`.
type contextCommand struct {
	List   listContextsCommand  `cmd:"" help:"List the contexts; a star marks the one in use."`
	Use    useContextCommand    `cmd:"" help:"Ask the coordinator of this context from now on."`
	Show   showContextCommand   `cmd:"" help:"Show a context, by default the one in use."`
	Set    setContextCommand    `cmd:"" help:"Make a context, or change what the flags name of it."`
	Delete deleteContextCommand `cmd:"" help:"Forget a context; the files that it names stay."`
}

// contextsPath returns where the contexts are kept; empty without a home.
func (p *program) contextsPath() string {
	if dir, ok := p.LookupEnv("XDG_CONFIG_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "jetmon", "config.yaml")
	}
	if home, ok := p.LookupEnv("HOME"); ok && home != "" {
		return filepath.Join(home, ".config", "jetmon", "config.yaml")
	}
	return ""
}

// contexts reads the contexts.
func (p *program) contexts() (path string, f contexts.File, err error) {
	if path = p.contextsPath(); path == "" {
		return "", f, nil
	}
	if f, err = contexts.Read(path); err != nil {
		err = usageError{err}
	}
	return path, f, err
}

// editContexts changes the contexts, and prints what change says was done.
func (p *program) editContexts(change func(*contexts.File) (string, error)) error {
	path, _, err := p.contexts() // a mistake in the file is found before it is locked
	if err != nil {
		return err
	}
	if path == "" {
		return errors.New("there is no place for contexts: neither XDG_CONFIG_HOME nor HOME is set")
	}
	done := ""
	err = contexts.Edit(path, func(f *contexts.File) (err error) {
		done, err = change(f)
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.Out, done)
	return err
}

// contextKeys maps the flags that a context sets to its values.
func contextKeys(c contexts.Context) map[string]string {
	keys := map[string]string{
		"server": c.Server, "coordinator-tls-ca": c.CA, "coordinator-tls-cert": c.Cert, "coordinator-tls-key": c.Key,
		"coordinator-token-file": c.TokenFile,
	}
	for flag, set := range map[string]bool{"coordinator-tls": c.TLS, "coordinator-insecure": c.Insecure} {
		if set {
			keys[flag] = "true"
		}
	}
	return keys
}

// readContext reads the context that a command line works in: the one that --context or its
// variable names, else the one in use, unless --server or its variable names a coordinator:
// the token of a context is for its own coordinator.
func (s *settings) readContext(ctx *kong.Context) error {
	s.context = map[string]string{}
	name, server := "", false
	for _, flag := range ctx.Flags() {
		value, given := s.given(ctx, flag)
		switch flag.Name {
		case "context":
			name = value
		case "server":
			server = given
		}
	}
	if name == "" && server {
		return nil
	}
	_, f, err := s.program.contexts()
	if err != nil {
		return err
	}
	if name == "" {
		if name = f.Current; name == "" {
			return nil
		}
	}
	c, err := f.Named(name)
	if err != nil {
		return err
	}
	s.context = contextKeys(c)
	return nil
}

// given returns the value that the command line or the environment has for a flag.
func (s *settings) given(ctx *kong.Context, flag *kong.Flag) (string, bool) {
	for _, path := range ctx.Path {
		if path.Flag == flag {
			return fmt.Sprint(ctx.FlagValue(flag)), true
		}
	}
	value, ok := s.fromEnv(flag.Value)
	if !ok {
		return "", false
	}
	return fmt.Sprint(value), true
}

// listContextsCommand is `jetmon context list`.
type listContextsCommand struct {
	JSON bool `noenv:"" name:"json" help:"Print JSON: the name of the context in use, and all contexts by their names."`
}

// Run lists the contexts.
func (c *listContextsCommand) Run(p *program) error {
	path, f, err := p.contexts()
	if err != nil {
		return err
	}
	if c.JSON {
		return format.Contexts(p.Out, f)
	}
	if len(f.Contexts) == 0 {
		_, err := fmt.Fprintf(p.Out, "There are no contexts in %s. jetmon context set NAME --server HOST:PORT makes one.\n", path)
		return err
	}
	table := format.NewTable(p.Out, terminalWidth(p.Out), "", "NAME", "SERVER", "TOKEN FILE")
	for _, name := range slices.Sorted(maps.Keys(f.Contexts)) {
		mark := ""
		if name == f.Current {
			mark = "*"
		}
		if err := table.Add(mark, name, f.Contexts[name].Server, f.Contexts[name].TokenFile); err != nil {
			return err
		}
	}
	return table.Flush()
}

// useContextCommand is `jetmon context use NAME`.
type useContextCommand struct {
	Name string `arg:"" help:"Name of the context."`
}

// Run chooses the context.
func (c *useContextCommand) Run(p *program) error {
	return p.editContexts(func(f *contexts.File) (string, error) {
		found, err := f.Named(c.Name)
		f.Current = c.Name
		return fmt.Sprintf("Context %s is in use: commands ask %s.", c.Name, found.Server), err
	})
}

// showContextCommand is `jetmon context show [NAME]`.
type showContextCommand struct {
	Name string `arg:"" optional:"" help:"Name of the context; by default the one in use."`
}

// Run shows the context.
func (c *showContextCommand) Run(p *program) error {
	_, f, err := p.contexts()
	if err != nil {
		return err
	}
	name := c.Name
	if name == "" {
		if name = f.Current; name == "" {
			return errors.New("no context is in use: jetmon context use NAME chooses one")
		}
	}
	found, err := f.Named(name)
	if err != nil {
		return err
	}
	table := format.NewTable(p.Out, terminalWidth(p.Out), "context", name)
	keys := contextKeys(found)
	for _, flag := range slices.Sorted(maps.Keys(keys)) {
		if keys[flag] != "" {
			if err := table.Add("--"+flag, keys[flag]); err != nil {
				return err
			}
		}
	}
	return table.Flush()
}

// setContextCommand is `jetmon context set NAME`.
type setContextCommand struct {
	Name      string  `arg:"" help:"Name of the context."`
	Server    *string `noenv:"" placeholder:"HOST:PORT" help:"HOST:PORT of the coordinator."`
	CA        *string `noenv:"" name:"ca" placeholder:"FILE" help:"Dial with TLS, trusting only this CA (PEM)."`
	Cert      *string `noenv:"" placeholder:"FILE" help:"Dial with TLS, presenting this certificate (PEM)."`
	Key       *string `noenv:"" placeholder:"FILE" help:"Key of that certificate (PEM)."`
	TokenFile *string `noenv:"" placeholder:"FILE" help:"File with the bearer token to send, for its owner only."`
	TLS       *bool   `noenv:"" name:"tls" negatable:"" help:"Dial with TLS even on loopback, trusting the system's CAs."`
	Insecure  *bool   `noenv:"" negatable:"" help:"Dial without TLS even beyond loopback: tokens are sent in clear."`
}

// Run makes or changes the context. The first one is used at once.
func (c *setContextCommand) Run(p *program) error {
	if err := contexts.CheckName(c.Name); err != nil {
		return usageError{err}
	}
	return p.editContexts(func(f *contexts.File) (string, error) {
		changed := f.Contexts[c.Name]
		for _, path := range []struct{ from, to *string }{{c.CA, &changed.CA}, {c.Cert, &changed.Cert}, {c.Key, &changed.Key}, {c.TokenFile, &changed.TokenFile}} {
			if err := setPath(path.from, path.to); err != nil {
				return "", err
			}
		}
		if c.TokenFile != nil && *c.TokenFile != "" {
			if _, err := readRoleToken(changed.TokenFile); err != nil {
				return "", usagef("--token-file: %w", err)
			}
		}
		if c.TLS != nil {
			changed.TLS = *c.TLS
		}
		if c.Insecure != nil {
			changed.Insecure = *c.Insecure
		}
		if c.Server != nil {
			changed.Server = *c.Server
		}
		if err := checkAddr(changed.Server, 1); err != nil {
			return "", usagef("--server: %w", err)
		}
		if f.Contexts == nil {
			f.Contexts, f.Current = map[string]contexts.Context{}, c.Name
		}
		f.Contexts[c.Name] = changed
		used := ""
		if f.Current == c.Name {
			used = ", and is in use"
		}
		return fmt.Sprintf("Context %s asks %s%s.", c.Name, changed.Server, used), nil
	})
}

// setPath stores a path so that it is good from every folder; an empty one removes it.
func setPath(from, to *string) error {
	if from == nil || *from == "" {
		if from != nil {
			*to = ""
		}
		return nil
	}
	abs, err := filepath.Abs(*from)
	if err != nil {
		return err
	}
	if !exists(abs) {
		return usagef("there is no file %s", abs)
	}
	*to = abs
	return nil
}

// deleteContextCommand is `jetmon context delete NAME`.
type deleteContextCommand struct {
	Name string `arg:"" help:"Name of the context."`
}

// Run forgets the context.
func (c *deleteContextCommand) Run(p *program) error {
	return p.editContexts(func(f *contexts.File) (string, error) {
		_, err := f.Named(c.Name)
		delete(f.Contexts, c.Name)
		if f.Current == c.Name {
			f.Current = ""
		}
		return fmt.Sprintf("Context %s is forgotten.", c.Name), err
	})
}
