package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
	"github.com/Automattic/jetmon/internal/probe"
)

// diagnoseCommand is `jetmon diagnose URL` and `jetmon diagnose logs`.
type diagnoseCommand struct {
	Site diagnoseSiteCommand `cmd:"" default:"withargs" help:"Diagnose a site from here. The word site is optional: jetmon diagnose URL."`
	Logs diagnoseLogsCommand `cmd:"" help:"Analyse the logs of a site's server."`
}

// diagnoseSiteCommand is `jetmon diagnose URL`.
type diagnoseSiteCommand struct {
	URL         string        `arg:"" name:"url" optional:"" help:"URL of the site."`
	From        string        `noenv:"" placeholder:"FILE" help:"Diagnose the sites of a file instead, and sum up their causes: a URL a line (# begins a comment), or a file that sites import takes; - is stdin."`
	Parallel    int           `default:"8" help:"Number of sites of --from at once, 1..64; never two of one host."`
	Symptom     string        `noenv:"" placeholder:"WORDS" help:"What the owner sees, as \"Error updating settings\": what explains it comes first. The word list shows all that are known."`
	Report      string        `noenv:"" placeholder:"FILE" help:"Write what to send to support into this new file: causes and evidence, without secrets."`
	TokenFile   string        `placeholder:"FILE" help:"Stored tokens for signed calls, one per line: the blog's (key.secret), a user's (key.secret.user_id), or both. Further ones are tried when the first is refused."`
	MetadataURL string        `name:"metadata-url" default:"${metadata_url}" help:"URL of WordPress.com's public API; none skips that step."`
	UserAgent   string        `default:"${user_agent}" help:"User agent of the calls; firewalls treat agents differently."`
	Timeout     time.Duration `default:"90s" help:"Total time limit, at most 10m."`
	StepTimeout time.Duration `default:"10s" help:"Time limit of each step, at most 60s."`

	reportFlags `embed:""`
	engineFlags `embed:""`
}

// maxDiagnosis bounds --timeout.
const maxDiagnosis = 10 * time.Minute

// Run diagnoses a site, or many. The exit code is 1 if a finding fails.
func (c *diagnoseSiteCommand) Run(ctx context.Context, p *program) error {
	if c.Symptom == "list" {
		return cli.ListSymptoms(p.Out, terminalWidth(p.Out))
	}
	seen, err := c.check()
	if err != nil {
		return err
	}
	if c.From != "" {
		return c.runMany(ctx, p)
	}
	target := jetpack.Target{URL: c.URL}
	about := format.About{Version: version(), UserAgent: c.UserAgent}
	if c.TokenFile != "" {
		if err := readSiteTokens(c.TokenFile, &target); err != nil {
			return usagef("--token-file: %w", err)
		}
		about.Tokens = kinds(target)
	}
	prober, d, err := c.open()
	if err != nil {
		return err
	}
	defer prober.Close()
	show := c.reportFlags.report(p)
	show.Symptom = seen
	if c.Report == "" {
		worst, err := cli.Diagnose(ctx, d, target, show)
		return verdict(worst, mistake(err))
	}
	file, err := createReport(c.Report)
	if err != nil {
		return usagef("--report: %w", err)
	}
	show.Support, show.About = file, about
	worst, err := cli.Diagnose(ctx, d, target, show)
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(c.Report) // it is not whole
	}
	return verdict(worst, mistake(err))
}

// open makes the diagnoser and its check engine, which the caller must close.
func (c *diagnoseSiteCommand) open() (*probe.Prober, *jetpack.Diagnoser, error) {
	prober, err := c.engineFlags.open()
	if err != nil {
		return nil, nil, err
	}
	d, err := jetpack.New(jetpack.Options{
		Prober: prober, MetadataURL: c.MetadataURL, UserAgent: c.UserAgent, StepTimeout: c.StepTimeout, Timeout: c.Timeout,
	})
	if err != nil {
		_ = prober.Close()
		return nil, nil, err
	}
	return prober, d, nil
}

// reportFlags select the format of a report.
type reportFlags struct {
	JSON  bool   `name:"json" help:"Print JSON in the API's format."`
	Color string `enum:"auto,always,never" default:"auto" help:"Colours: auto (on a terminal, unless NO_COLOR is set or TERM is dumb), always or never."`
}

func (f reportFlags) report(p *program) cli.Report {
	return cli.Report{Out: p.Out, JSON: f.JSON, Color: f.color(p), Width: terminalWidth(p.Out)}
}

// verdict turns a failing finding into exit code 1.
func verdict(worst jetpack.Verdict, err error) error {
	if err == nil && worst == jetpack.Fail {
		return exitCode(exitFailed)
	}
	return err
}

// color reports whether to colour the text.
func (f reportFlags) color(p *program) bool {
	if f.Color == "auto" {
		v, ok := p.LookupEnv("NO_COLOR")
		return (!ok || v == "") && !p.dumb() && isTerminal(p.Out)
	}
	return f.Color == "always"
}

// maxSiteTokens is how many tokens a diagnosis takes; it tries them one after the other.
const maxSiteTokens = 6

// readSiteTokens reads a file with the tokens that a site stores, the likely ones first. Its
// errors never quote the file's content.
func readSiteTokens(path string, target *jetpack.Target) error {
	lines, err := readTokens(path)
	if err != nil {
		return err
	}
	if len(lines) > maxSiteTokens {
		return fmt.Errorf("%s holds %d tokens, want at most %d", path, len(lines), maxSiteTokens)
	}
	for i, line := range lines {
		c, err := signature.ParseCredential(line)
		if err != nil {
			return fmt.Errorf("token %d in %s: %w", i+1, path, err)
		}
		switch {
		case c.UserID() == 0 && target.Blog.IsZero():
			target.Blog = c
		case c.UserID() > 0 && target.User.IsZero():
			target.User = c
		default:
			target.Others = append(target.Others, c)
		}
	}
	return nil
}
