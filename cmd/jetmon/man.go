package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// manCommand is `jetmon man [COMMAND...]`.
type manCommand struct {
	Command []string `arg:"" optional:"" help:"Command whose page to print, as sites list; by default that of jetmon itself."`
	Dir     string   `noenv:"" placeholder:"DIR" help:"Write the pages of all commands into this folder, as jetmon-sites-list.1."`
}

// Run prints a page, or writes all.
func (c *manCommand) Run(p *program, app *kong.Kong) (err error) {
	if c.Dir == "" {
		node, ok := find(app.Model.Node, c.Command)
		if !ok {
			return usagef("there is no command %q", strings.Join(c.Command, " "))
		}
		return writeManual(p.Out, node)
	}
	if len(c.Command) > 0 {
		return usagef("--dir: writes the pages of all commands; name none")
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	walk(app.Model.Node, func(n *kong.Node) {
		var page bytes.Buffer
		if err == nil {
			err = writeManual(&page, n)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(c.Dir, manualName(n)+".1"), page.Bytes(), 0o644)
		}
	})
	return err
}

// manualName is the name of a command's page.
func manualName(n *kong.Node) string {
	return strings.Join(append([]string{"jetmon"}, pathOf(n)...), "-")
}

// manual is a page in roff.
type manual struct{ text strings.Builder }

// macro adds a line of roff whose arguments are texts.
func (m *manual) macro(name string, arguments ...string) {
	m.text.WriteString("." + name)
	for _, a := range arguments {
		m.text.WriteString(` "` + strings.ReplaceAll(escape(a), `"`, `\(dq`) + `"`)
	}
	m.text.WriteByte('\n')
}

// line adds a line of text.
func (m *manual) line(text string) {
	text = escape(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	m.text.WriteString(text + "\n")
}

// escape writes a text so that roff prints it as it is.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
}

// writeManual writes the page of a command.
func writeManual(w io.Writer, n *kong.Node) error {
	m := &manual{}
	// A hyphen in the title and the date is one: no escapes.
	fmt.Fprintf(&m.text, ".TH %s 1 %s Jetmon \"Jetmon manual\"\n", strings.ToUpper(manualName(n)), buildTime().Format(time.DateOnly))
	m.macro("SH", "NAME")
	m.line(manualName(n) + " - " + strings.TrimSuffix(n.Help, "."))
	m.macro("SH", "SYNOPSIS")
	m.line(synopsis(n))
	if n.Detail != "" {
		m.macro("SH", "EXAMPLES")
		m.macro("nf")
		for _, line := range examplesOf(n) {
			m.line(line)
		}
		m.macro("fi")
	}
	m.commands(n)
	m.values(n)
	m.exitCodes()
	m.surroundings(n)
	_, err := io.WriteString(w, m.text.String())
	return err
}

func synopsis(n *kong.Node) string {
	text := strings.Join(append([]string{"jetmon"}, pathOf(n)...), " ")
	for _, arg := range n.Positional {
		text += " " + arg.Summary()
	}
	if len(childrenOf(n)) > 0 {
		text += " <command>"
	}
	return text + " [flags]"
}

func (m *manual) commands(n *kong.Node) {
	if len(childrenOf(n)) == 0 {
		return
	}
	m.macro("SH", "COMMANDS")
	for _, child := range childrenOf(n) {
		m.macro("TP")
		m.macro("B", strings.Join(append([]string{"jetmon"}, pathOf(child)...), " "))
		m.line(child.Help)
		m.line("See " + manualName(child) + "(1).")
	}
}

// values lists arguments and flags.
func (m *manual) values(n *kong.Node) {
	if len(n.Positional) > 0 {
		m.macro("SH", "ARGUMENTS")
	}
	for _, arg := range n.Positional {
		m.macro("TP")
		m.macro("B", arg.Summary())
		m.line(arg.Help)
	}
	m.macro("SH", "OPTIONS")
	for _, f := range flagsOf(n) {
		m.macro("TP")
		m.macro("B", flagInWords(f))
		m.line(helpWithEnv(f.Value))
		if f.HasDefault && f.Default != "" && takesValue(f) {
			m.line("Default: " + f.Default + ".")
		}
	}
}

// flagInWords writes a flag as help does.
func flagInWords(f *kong.Flag) string {
	name := "--" + f.Name
	if f.Negated || f.Tag.Negatable != "" {
		name = "--[no-]" + f.Name
	}
	if f.Short != 0 {
		name = "-" + string(f.Short) + ", " + name
	}
	if takesValue(f) {
		name += "=" + f.FormatPlaceHolder()
	}
	return name
}

// exitCodeMeanings is what the exit codes mean.
var exitCodeMeanings = [][2]string{
	{"0", "All is done. For probe and sites check: every site is up."},
	{"1", "It failed, or something was refused: a line on stderr says what. For probe and sites check: a site is down; for diagnose: a finding fails; for outages replay: the verdict is another one."},
	{"2", "A mistake in the command, its environment or its files: nothing was done."},
	{"3", "probe and sites check: the state of a site is unknown, and none is down."},
	{"130", "Interrupted by Ctrl-C: a line on stderr says how far it came."},
}

func (m *manual) exitCodes() {
	m.macro("SH", "EXIT STATUS")
	for _, code := range exitCodeMeanings {
		m.macro("TP")
		m.macro("B", code[0])
		m.line(code[1])
	}
}

// surroundings lists the environment and files.
func (m *manual) surroundings(n *kong.Node) {
	m.macro("SH", "ENVIRONMENT")
	m.line("A flag that shows a variable takes its value from it, unless the command line has one.")
	m.macro("TP")
	m.macro("B", "NO_COLOR")
	m.line("No colours, whatever it is set to. There are none in a pipe or a file anyway.")
	m.macro("TP")
	m.macro("B", "XDG_CONFIG_HOME")
	m.line("Folder of jetmon/config.yaml, which holds the contexts; by default ~/.config.")
	if n.Parent != nil {
		m.macro("SH", "SEE ALSO")
		m.line(manualName(n.Parent) + "(1)")
	}
}
