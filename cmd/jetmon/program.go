package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/jetpack"
)

// The exit codes of every command. probe also has exitDown and exitUnknown; for diagnose,
// exitFailed also means that a finding fails.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	// exitInterrupted is 128 and the number of SIGINT, as shells have it.
	exitInterrupted = 130
)

// commands is the table of all commands.
type commands struct {
	Coordinator   coordinatorCommand   `cmd:"" help:"Run a coordinator: it owns sites, schedules checks, judges results and notifies WordPress.com."`
	Checker       checkerCommand       `cmd:"" help:"Run a checker: it probes the sites that coordinators assign to it."`
	Veriflier     veriflierCommand     `cmd:"" help:"Run a veriflier: it gives coordinators an independent opinion on a site."`
	Gateway       gatewayCommand       `cmd:"" help:"Run a gateway: REST in front of a coordinator."`
	Dev           devCommand           `cmd:"" help:"Run the whole system in this process, with demo sites."`
	Ready         readyCommand         `cmd:"" help:"Ask a role on this machine whether it can do its work: exit code 0 if it can, 1 if not."`
	Credentials   credentialsCommand   `cmd:"" help:"Make what is missing of a whole fleet's certificates and of its database's password."`
	Migrate       migrateCommand       `cmd:"" help:"Create or update Jetmon's tables in a database."`
	Parity        parityCommand        `cmd:"" help:"Compare what v1 and a coordinator on trial have decided about the same sites."`
	Handover      handoverCommand      `cmd:"" help:"Take buckets over from v1, or give them back, while coordinators are on trial."`
	Probe         probeCommand         `cmd:"" help:"Check one URL from here, or by verifliers, and print the observation."`
	Sites         sitesCommand         `cmd:"" help:"List, add, edit, check, import and export sites, by a coordinator."`
	Advisories    advisoriesCommand    `cmd:"" help:"Query a coordinator about open remarks about sites that are up: list."`
	Incidents     incidentsCommand     `cmd:"" help:"Query a coordinator about failures of many sites at once: list, members."`
	Maintenance   maintenanceCommand   `cmd:"" help:"Plan maintenance, in which nobody is told that sites fail: list, add, edit, end, delete, calendar."`
	Notifications notificationsCommand `cmd:"" help:"See what subscriptions are told, and have it told again: list, show, replay, test."`
	Outages       outagesCommand       `cmd:"" help:"Query a coordinator about outages: list, show, replay."`
	Changes       changesCommand       `cmd:"" help:"Follow what happens to sites, while it happens: watch."`
	Subscriptions subscriptionsCommand `cmd:"" help:"Manage who is told of which events (list, get, add, edit, enable, disable, test, rotate, delete)."`
	Fleet         fleetCommand         `cmd:"" help:"Show the monitor itself: coordinators, checkers, verifliers, alarms."`
	Top           topCommand           `cmd:"" help:"Watch the monitor itself on a terminal: coverage, lateness, alarms, outages, roles."`
	Context       contextCommand       `cmd:"" help:"Manage the coordinators that you ask: list, use, show, set, delete."`
	Tokens        tokensCommand        `cmd:"" help:"Manage what proves callers: tokens of the API (create, list, revoke) and of roles (role)."`
	Diagnose      diagnoseCommand      `cmd:"" help:"Find out why Jetpack and WordPress.com cannot connect to a site."`
	Certs         certsCommand         `cmd:"" help:"Make and show the certificates by which roles prove who they are: init, issue, show."`
	Config        configCommand        `cmd:"" help:"Explain a configuration file, v1's or Jetmon's own: explain."`
	Completion    completionCommand    `cmd:"" help:"Print the script by which a shell completes commands, flags and their values."`
	Man           manCommand           `cmd:"" help:"Print manual pages."`
	Version       versionCommand       `cmd:"" help:"Print the version."`
	Complete      completeCommand      `cmd:"" hidden:"" passthrough:"" name:"__complete" help:"Print what a word can be, for completion."`

	programFlags `embed:""`
}

// programFlags are the flags of no command.
type programFlags struct {
	ShowVersion versionFlag `name:"version" noenv:"" help:"Print the version."`
}

// program is the environment of one invocation.
type program struct {
	LookupEnv func(string) (string, bool)
	// In is stdin; nil is empty.
	In       io.Reader
	Out, Err io.Writer
	// files are the configuration files that the command read, table is what it read from
	// them, from its flags and from the environment.
	files files
	table *commands
	// args is the command line, and values are the values of its flags, to compare with
	// those of a later reading.
	args   []string
	values map[string]string
	// ticks replaces the clock by which a role looks for new certificates, in tests.
	ticks <-chan time.Time
}

// Run executes one command line and returns the exit code. When ctx ends, it ends in order.
func (p *program) Run(ctx context.Context, args []string) int {
	p.args = args
	table, values := &commands{}, &settings{program: p}
	root, some := table.grammar(args)
	parser, err := newParser(p, root, values, some...)
	if err != nil {
		return p.fail("jetmon", fmt.Errorf("build the command table: %w", err))
	}
	helped := false
	parser.Exit = func(int) { helped = true }
	chosen, err := parser.Parse(args)
	if helped {
		return exitOK
	}
	name := commandName(chosen, err)
	if values.err != nil {
		return p.fail(name, usageError{values.err})
	}
	if err != nil {
		return p.fail(name, usagef("%w (try %s --help)", err, name))
	}
	p.table, p.values = table, flagValues(chosen)
	chosen.BindTo(ctx, (*context.Context)(nil))
	if err := chosen.Run(p); err != nil {
		return p.fail(name, err)
	}
	return exitOK
}

// newParser makes a parser of the table of all commands, or of a root with some of them.
func newParser(p *program, root any, values kong.Resolver, some ...kong.Option) (*kong.Kong, error) {
	parser, err := kong.New(root, append(some,
		kong.Name("jetmon"),
		kong.Description("Jetmon monitors web sites and notifies WordPress.com when one goes down or comes back."),
		kong.Writers(p.Out, p.Err),
		kong.Resolvers(values),
		kong.Vars{"least_level": "info", "metadata_url": jetpack.DefaultMetadataURL, "user_agent": jetpack.DefaultUserAgent},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 110}),
		kong.ValueFormatter(helpWithEnv),
		kong.Bind(p),
	)...)
	if err == nil {
		addExamples(parser.Model.Node)
	}
	return parser, err
}

// commandName returns the part of the command that was parsed.
func commandName(chosen *kong.Context, err error) string {
	if parse, ok := errors.AsType[*kong.ParseError](err); ok {
		chosen = parse.Context
	}
	if chosen == nil || chosen.Selected() == nil {
		return "jetmon"
	}
	return chosen.Selected().FullPath()
}

// fail prints one line and returns the exit code of the error.
func (p *program) fail(name string, err error) int {
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	line := strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	fmt.Fprintf(p.Err, "%s: %s\n", name, format.Printable(line))
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[cli.Interrupted](err); ok {
		return exitInterrupted
	}
	return exitFailed
}

// usageError is a mistake in flags, environment or configuration: exit code 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitCode ends the process with a code and without a message.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }
