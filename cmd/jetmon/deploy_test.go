package main

import (
	"bufio"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// The examples in deploy/ are read as systemd reads them, and by the real parser.
func TestDeployedEnvironmentIsUnderstood(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"coordinator", "checker", "veriflier", "gateway"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			env := readEnv(t, "../../deploy/systemd/"+command+".env")
			asked := map[string]bool{}
			lookup := func(name string) (string, bool) {
				asked[name] = true
				value, ok := env[name]
				return value, ok
			}
			p := &program{LookupEnv: lookup, Out: io.Discard, Err: io.Discard}
			parser, err := newParser(p, &commands{}, &settings{program: p})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse([]string{command}); err != nil {
				t.Error(err)
			}
			for name := range env {
				if !asked[name] {
					t.Errorf("%s is no flag of jetmon %s", name, command)
				}
			}
		})
	}
}

func readEnv(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	env := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), "=")
		if ok && !strings.HasPrefix(name, "#") {
			env[name] = strings.Trim(value, `"`)
		}
	}
	if err := lines.Err(); err != nil || len(env) == 0 {
		t.Fatalf("%s: %d variables, %v", path, len(env), err)
	}
	return env
}

func TestAVariableWithSeveralValuesHasBlanksOrWhatSeparatesOnTheCommandLine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a:1,b:2", "a:1 b:2", " a:1, b:2\n"} {
		p := &program{LookupEnv: func(name string) (string, bool) { return text, name == "JETMON_COORDINATOR" }, Out: io.Discard, Err: io.Discard}
		table := &commands{}
		parser, err := newParser(p, table, &settings{program: p})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse([]string{"checker"}); err != nil || !slices.Equal(table.Checker.Coordinator, []string{"a:1", "b:2"}) {
			t.Errorf("%q: %q, %v", text, table.Checker.Coordinator, err)
		}
	}
}

// A list of names in one word is what a compose file has of its certificates' hosts.
func TestNamesOfAGatewayStandInOneFlagOrInSeveral(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--allowed-host=a.example,b.example"}, {"--allowed-host=a.example", "--allowed-host=b.example"},
	} {
		for _, command := range []string{"gateway", "dev"} {
			p := &program{LookupEnv: func(string) (string, bool) { return "", false }, Out: io.Discard, Err: io.Discard}
			table := &commands{}
			parser, err := newParser(p, table, &settings{program: p})
			if err != nil {
				t.Fatal(err)
			}
			_, err = parser.Parse(append([]string{command}, args...))
			if got := slices.Concat(table.Gateway.AllowedHost, table.Dev.AllowedHost); err != nil || !slices.Equal(got, []string{"a.example", "b.example"}) {
				t.Errorf("%s %q: %q, %v", command, args, got, err)
			}
		}
	}
}
