package main

import (
	"context"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
)

// diagnoseCommand is `jetmon diagnose URL` and `jetmon diagnose logs`.
type diagnoseCommand struct {
	Site diagnoseSiteCommand `cmd:"" default:"withargs" help:"Look at a site from here; the word may be left out: jetmon diagnose URL."`
	Logs diagnoseLogsCommand `cmd:"" help:"Read the logs of a site's server."`
}

// diagnoseSiteCommand is `jetmon diagnose URL`.
type diagnoseSiteCommand struct {
	URL         string        `arg:"" name:"url" help:"URL of the site."`
	TokenFile   string        `placeholder:"FILE" help:"The blog's stored token (key.secret), a user's (key.secret.user_id), or both, one a line: for signed calls."`
	MetadataURL string        `name:"metadata-url" default:"${metadata_url}" help:"WordPress.com's public API; none leaves it out."`
	UserAgent   string        `default:"${user_agent}" help:"User agent of the calls: firewalls treat names differently."`
	Timeout     time.Duration `default:"90s" help:"Budget for everything, at most 10m."`
	StepTimeout time.Duration `default:"10s" help:"Budget for each step, at most 60s."`

	reportFlags `embed:""`
	engineFlags `embed:""`
}

// maxDiagnosis bounds --timeout.
const maxDiagnosis = 10 * time.Minute

// Run diagnoses a site; the exit code is 1 when something fails.
func (c *diagnoseSiteCommand) Run(ctx context.Context, p *program) error {
	if _, err := check.ParseURL(c.URL); err != nil {
		return usagef("%s: %w", c.URL, err)
	}
	if c.Timeout < time.Second || c.Timeout > maxDiagnosis {
		return usagef("--timeout: must be from 1s to %s, is %s", maxDiagnosis, c.Timeout)
	}
	if c.StepTimeout < 100*time.Millisecond || c.StepTimeout > check.MaxTimeout {
		return usagef("--step-timeout: must be from 100ms to %s, is %s", check.MaxTimeout, c.StepTimeout)
	}
	if _, err := check.ParseURL(c.MetadataURL); err != nil && c.MetadataURL != jetpack.NoMetadata {
		return usagef("--metadata-url: %w", err)
	}
	target := jetpack.Target{URL: c.URL}
	if c.TokenFile != "" {
		var err error
		if target.Blog, target.User, err = readSiteTokens(c.TokenFile); err != nil {
			return usagef("--token-file: %w", err)
		}
	}
	prober, err := c.engineFlags.open()
	if err != nil {
		return err
	}
	defer prober.Close()
	d, err := jetpack.New(jetpack.Options{
		Prober: prober, MetadataURL: c.MetadataURL, UserAgent: c.UserAgent, StepTimeout: c.StepTimeout, Timeout: c.Timeout,
	})
	if err != nil {
		return err
	}
	report, err := d.Diagnose(ctx, target)
	if err != nil {
		return usagef("%s: %w", c.URL, err)
	}
	return c.reportFlags.print(p, report)
}

// readSiteTokens reads a file with the tokens that a site stores. Its errors never quote
// what is in it.
func readSiteTokens(path string) (blog, user signature.Credential, err error) {
	lines, err := readTokens(path)
	if err != nil {
		return blog, user, err
	}
	for i, line := range lines {
		c, err := signature.ParseCredential(line)
		if err != nil {
			return blog, user, fmt.Errorf("token %d in %s: %w", i+1, path, err)
		}
		to := &blog
		if c.UserID() > 0 {
			to = &user
		}
		if !to.IsZero() {
			return blog, user, fmt.Errorf("%s holds two tokens of a %s, want one", path, c.Kind())
		}
		*to = c
	}
	return blog, user, nil
}
