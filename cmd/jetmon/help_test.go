package main

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// model returns the parser and its commands.
func model(t *testing.T) *kong.Kong {
	t.Helper()
	p := &program{Out: io.Discard, Err: io.Discard, LookupEnv: func(string) (string, bool) { return "", false }}
	parser, err := newParser(p, &commands{}, &settings{program: p})
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

func TestHelpShowsEveryFlagWithItsVariableAndDefault(t *testing.T) {
	t.Parallel()
	walk(model(t).Model.Node, func(command *kong.Node) {
		path, flags := pathOf(command), flagsOf(command) // which kong notes in the model
		t.Run(strings.Join(append([]string{"jetmon"}, path...), " "), func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, nil, append(path, "--help")...)
			if code != exitOK || stderr != "" {
				t.Fatalf("exit code %d, stderr %q", code, stderr)
			}
			// The help is wrapped: what belongs together may stand on two lines.
			text := strings.Join(strings.Fields(stdout), " ")
			if !strings.Contains(text, "Example") || command.Help == "" && len(path) > 0 {
				t.Errorf("help has no example: %s", stdout)
			}
			for _, arg := range command.Positional {
				if arg.Help == "" {
					t.Errorf("<%s> has no help", arg.Name)
				}
			}
			for _, flag := range flags {
				checkFlagHelp(t, text, flag)
			}
		})
	})
}

// checkFlagHelp wants a flag's name, variable and default in a help.
func checkFlagHelp(t *testing.T, text string, flag *kong.Flag) {
	if flag.Help == "" {
		t.Errorf("--%s has no help", flag.Name)
	}
	name, byDefault := "--"+flag.Name, "--"+flag.Name+"="+flag.FormatPlaceHolder()
	if flag.IsBool() && (flag.HasDefault || flag.Tag.Negatable != "") {
		name, byDefault = "--[no-]"+flag.Name, "default"
	}
	wants := []string{name}
	if flag.Name != "help" && !flag.Tag.Has(noEnv) {
		wants = append(wants, "[$"+envName(flag.Name)+"]")
	}
	if flag.HasDefault {
		wants = append(wants, byDefault)
	}
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("help does not show %s", want)
		}
	}
	if strings.Contains(flag.FormatPlaceHolder(), ",...,...") {
		t.Errorf("--%s=%s says twice that there may be several", flag.Name, flag.FormatPlaceHolder())
	}
	for _, word := range wordsOf(flag.Value) {
		if flag.Tag.Has(wordsTag) && !strings.Contains(flag.Help, word) {
			t.Errorf("the help of --%s does not tell of %s", flag.Name, word)
		}
	}
}

// Each example, and each command line of docs/cli.md, is understood.
func TestExamplesAreUnderstood(t *testing.T) {
	t.Parallel()
	parser := model(t)
	understood := func(line string) (n int) {
		for part := range strings.SplitSeq(line, "|") {
			part, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(part), "source <("), ">")
			part, _, _ = strings.Cut(part, "  #")
			// An id, an etag or a TIME stands for what a command prints.
			part, _, _ = strings.Cut(part, ` --if-match "$(`)
			args := strings.Fields(strings.TrimSuffix(strings.TrimSpace(part), ")"))
			if len(args) == 0 || args[0] != "jetmon" {
				continue
			}
			n++
			if _, err := parser.Parse(args[1:]); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
		return n
	}
	walk(parser.Model.Node, func(command *kong.Node) {
		for _, line := range examplesOf(command) {
			understood(line)
		}
	})
	for path := range examples() {
		if _, ok := find(parser.Model.Node, strings.Fields(path)); !ok {
			t.Errorf("there are examples of %q, which is no command", path)
		}
	}
	docs, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, block := range strings.Split(string(docs), "```") {
		for line := range strings.Lines(block) {
			if i%2 == 1 {
				n += understood(strings.TrimSpace(line))
			}
		}
	}
	if n < 20 {
		t.Errorf("docs/cli.md has %d command lines", n)
	}
	for _, code := range exitCodeMeanings {
		if !strings.Contains(string(docs), "\n| "+code[0]+" | ") {
			t.Errorf("docs/cli.md does not tell of the exit code %s", code[0])
		}
	}
	walk(parser.Model.Node, func(command *kong.Node) {
		if path := pathOf(command); len(path) == 2 && slices.Contains([]string{"sites", "outages", "tokens", "certs", "context"}, path[0]) && !strings.Contains(string(docs), "`jetmon "+strings.Join(path, " ")) && !strings.Contains(string(docs), "`"+path[1]) {
			t.Errorf("docs/cli.md does not list %s", command.FullPath())
		}
	})
}

func TestHelpListsTheCommands(t *testing.T) {
	t.Parallel()
	code, stdout, _ := run(t, nil, "--help")
	if code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	for _, name := range []string{"coordinator", "checker", "veriflier", "gateway", "dev", "migrate", "probe", "sites", "outages", "fleet", "context", "completion", "man", "version"} {
		if !strings.Contains(stdout, "\n  "+name+" ") {
			t.Errorf("help does not list %s", name)
		}
	}
}

func TestVersionIsOneLine(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"version", "--version", "sites list --version"} {
		code, stdout, _ := run(t, map[string]string{"JETMON_VERSION": "1"}, strings.Fields(args)...)
		if code != exitOK || !strings.HasPrefix(stdout, "jetmon ") || strings.Count(stdout, "\n") != 1 {
			t.Errorf("%s: exit code %d, stdout %q", args, code, stdout)
		}
	}
}

// A parser that knows only what a command line needs explains each command as one that knows all.
func TestAParserOfOneCommandExplainsItAsTheWholeDoes(t *testing.T) {
	t.Parallel()
	help := func(parser *kong.Kong, command string) string {
		var out bytes.Buffer
		parser.Stdout, parser.Exit = &out, func(int) {}
		_, _ = parser.Parse([]string{command, "--help"})
		return out.String()
	}
	p := &program{LookupEnv: func(string) (string, bool) { return "", false }, Out: io.Discard, Err: io.Discard}
	whole, compared := model(t), 0
	for _, command := range whole.Model.Children {
		table := &commands{}
		root, some := table.grammar([]string{command.Name})
		if root == any(table) {
			continue
		}
		compared++
		own, err := newParser(p, root, &settings{program: p}, some...)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := help(own, command.Name), help(whole, command.Name); got != want || got == "" {
			t.Errorf("%s --help (-the whole +its own):\n%s", command.Name, cmp.Diff(want, got))
		}
	}
	if compared < 20 {
		t.Errorf("only %d commands have parsers of their own", compared)
	}
}
