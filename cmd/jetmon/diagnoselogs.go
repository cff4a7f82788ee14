package main

import (
	"os"

	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/accesslog"
)

// diagnoseLogsCommand is `jetmon diagnose logs`.
type diagnoseLogsCommand struct {
	Access         string `required:"" placeholder:"FILE" help:"Access log, plain or gzip: common or combined format, or JSON as nginx, Apache, Caddy and Traefik write it, or of AWS's load balancer; - is stdin."`
	Error          string `placeholder:"FILE" help:"Error log of nginx, Apache, PHP or PHP-FPM (its slow log too), plain or gzip."`
	Server         string `enum:"auto,nginx,apache,other" default:"auto" help:"Software that wrote the access log: auto (as the logs show it), nginx, apache or other. Only nginx has FastCGI buffers."`
	FastCGIBuffers string `name:"fastcgi-buffers" default:"8x4k" help:"nginx's fastcgi_buffers, for example 8x4k."`
	Top            int    `default:"10" help:"Number of URLs to list, 1..1000."`

	reportFlags `embed:""`
}

// Run analyses the logs. The exit code is 1 if a finding fails.
func (c *diagnoseLogsCommand) Run(p *program) error {
	buffers, err := jetpack.ParseBuffers(c.FastCGIBuffers)
	if err != nil {
		return usagef("--fastcgi-buffers: %w", err)
	}
	if c.Top < 1 || c.Top > 1000 {
		return usagef("--top: must be from 1 to 1000, is %d", c.Top)
	}
	logs := jetpack.Logs{Buffers: buffers, Top: c.Top, Server: c.server()}
	access, err := openLog("access", c.Access)
	if err != nil {
		return err
	}
	defer access.Close()
	logs.Access = access
	if c.Error != "" {
		errors, err := openLog("error", c.Error)
		if err != nil {
			return err
		}
		defer errors.Close()
		logs.Error = errors
	}
	worst, err := cli.DiagnoseLogs(logs, c.Access, c.reportFlags.report(p))
	return verdict(worst, err)
}

// server returns the software that --server names; empty leaves it to the logs.
func (c *diagnoseLogsCommand) server() accesslog.Server {
	switch c.Server {
	case "nginx":
		return accesslog.ServerNginx
	case "apache":
		return accesslog.ServerApache
	case "other":
		return accesslog.ServerOther
	}
	return ""
}

func openLog(flag, path string) (*os.File, error) {
	if path == "-" {
		return os.Stdin, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, usagef("--%s: %w", flag, err)
	}
	if info, err := file.Stat(); err != nil || info.IsDir() {
		_ = file.Close()
		return nil, usagef("--%s: %s is not a file", flag, path)
	}
	return file, nil
}
