package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/accesslog"
)

// diagnoseLogsCommand is `jetmon diagnose logs`.
type diagnoseLogsCommand struct {
	Access         string `required:"" placeholder:"FILE" help:"Access log, common or combined format, plain or gzip; - is stdin."`
	Error          string `placeholder:"FILE" help:"Error log of nginx, Apache or PHP-FPM, plain or gzip."`
	FastCGIBuffers string `name:"fastcgi-buffers" default:"8x4k" help:"nginx's fastcgi_buffers, as 8x4k."`
	Top            int    `default:"10" help:"URLs to list, 1..1000."`

	reportFlags `embed:""`
}

// Run reads the logs; the exit code is 1 when something fails.
func (c *diagnoseLogsCommand) Run(p *program) error {
	buffers, err := jetpack.ParseBuffers(c.FastCGIBuffers)
	if err != nil {
		return usagef("--fastcgi-buffers: %w", err)
	}
	if c.Top < 1 || c.Top > 1000 {
		return usagef("--top: must be from 1 to 1000, is %d", c.Top)
	}
	logs := jetpack.Logs{Buffers: buffers, Top: c.Top}
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
	report, err := jetpack.ReadLogs(logs)
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(p.Out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(logsToJSON(report)); err != nil {
			return fmt.Errorf("encode the report: %w", err)
		}
		return exitOf(&report.Report)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", strings.Map(printable, c.Access), report.Took.Round(time.Millisecond))
	writeURLs(&b, "Called most", report.Access.Frequent, buffers.Bytes())
	writeURLs(&b, "Largest responses", report.Access.Large, buffers.Bytes())
	writeFindings(&b, c.paint(p), &report.Report)
	if _, err := io.WriteString(p.Out, b.String()); err != nil {
		return err
	}
	return exitOf(&report.Report)
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

// writeURLs writes a table of URLs; a star marks a maximum that does not fit.
func writeURLs(b *strings.Builder, title string, urls []accesslog.URL, buffers int64) {
	if len(urls) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n  %10s %10s %10s %10s %10s %10s  %s\n", title, "count", "average", "median", "90 %", "99 %", "maximum", "path")
	for _, u := range urls {
		star := " "
		if u.Dynamic && u.Sizes.Max > buffers {
			star = "*"
		}
		fmt.Fprintf(b, "  %10d %10d %10d %10d %10d %10d%s %s\n", u.Count, u.Sizes.Average(), u.Sizes.Percentile(50),
			u.Sizes.Percentile(90), u.Sizes.Percentile(99), u.Sizes.Max, star, u.Path)
	}
}
