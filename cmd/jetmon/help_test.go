package main

import (
	"io"
	"strings"
	"testing"
)

func TestHelpShowsEveryFlagWithItsVariableAndDefault(t *testing.T) {
	t.Parallel()
	p := &program{Out: io.Discard, Err: io.Discard}
	parser, err := newParser(p, &commands{}, &settings{program: p})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Children {
		t.Run(command.Name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, nil, command.Name, "--help")
			if code != exitOK || stderr != "" {
				t.Fatalf("exit code %d, stderr %q", code, stderr)
			}
			// The help is wrapped: what belongs together may stand on two lines.
			text := strings.Join(strings.Fields(stdout), " ")
			for _, flag := range command.Flags {
				if flag.Help == "" {
					t.Errorf("--%s has no help", flag.Name)
				}
				name, byDefault := "--"+flag.Name, "--"+flag.Name+"="+flag.FormatPlaceHolder()
				if flag.IsBool() && flag.HasDefault {
					name, byDefault = "--[no-]"+flag.Name, "default"
				}
				for _, want := range []string{name, "[$" + envName(flag.Name) + "]"} {
					if !strings.Contains(text, want) {
						t.Errorf("help does not show %s", want)
					}
				}
				if flag.HasDefault && !strings.Contains(text, byDefault) {
					t.Errorf("help does not show the default of --%s: %s", flag.Name, flag.FormatPlaceHolder())
				}
			}
		})
	}
}

func TestHelpListsTheCommands(t *testing.T) {
	t.Parallel()
	code, stdout, _ := run(t, nil, "--help")
	if code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	for _, name := range []string{"coordinator", "checker", "veriflier", "gateway", "dev", "migrate", "probe", "sites", "outages", "version"} {
		if !strings.Contains(stdout, "\n  "+name+" ") {
			t.Errorf("help does not list %s", name)
		}
	}
}

func TestVersionIsOneLine(t *testing.T) {
	t.Parallel()
	code, stdout, _ := run(t, nil, "version")
	if code != exitOK || !strings.HasPrefix(stdout, "jetmon ") || strings.Count(stdout, "\n") != 1 {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
}
