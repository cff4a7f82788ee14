package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/contexts"
)

// named is a coordinator that shows its name and the token that it was sent.
type named struct {
	monitorv1.UnimplementedFleetServiceServer
	name string
}

func (n named) GetFleet(ctx context.Context, _ *monitorv1.GetFleetRequest) (*monitorv1.GetFleetResponse, error) {
	return &monitorv1.GetFleetResponse{Fleet: &monitorv1.Fleet{Coordinator: &monitorv1.CoordinatorStatus{Node: n.name, InstanceId: strings.Join(metadata.ValueFromIncomingContext(ctx, "authorization"), "")}}}, nil
}

// serveNamed starts such a coordinator.
func serveNamed(t *testing.T, name string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	monitorv1.RegisterFleetServiceServer(server, named{name: name})
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() { server.Stop(); <-served })
	return l.Addr().String()
}

func TestAContextNamesTheCoordinatorUnlessAFlagOrAVariableDoes(t *testing.T) {
	t.Parallel()
	a, b, c := serveNamed(t, "coordinator-a"), serveNamed(t, "coordinator-b"), serveNamed(t, "coordinator-c")
	home := t.TempDir()
	token := write(t, "a.token", "jetmon_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n")
	base := map[string]string{"XDG_CONFIG_HOME": home}
	for _, args := range []string{
		"context set a --server " + a + " --token-file " + token, "context set b --server " + b, "context use a",
	} {
		if code, _, stderr := run(t, base, strings.Fields(args)...); code != exitOK {
			t.Fatalf("%s: %s", args, stderr)
		}
	}
	for _, tt := range []struct {
		name, args string
		env        map[string]string
		want       string
		token      bool
	}{
		{"the one in use", "", nil, "coordinator-a", true},
		{"one that is named", "--context b", nil, "coordinator-b", false},
		{"one that a variable names", "", map[string]string{"JETMON_CONTEXT": "b"}, "coordinator-b", false},
		{"a flag before a variable", "--context a", map[string]string{"JETMON_CONTEXT": "b"}, "coordinator-a", true},
		{"a server, which gets no token of a context", "--server " + c, nil, "coordinator-c", false},
		{"a server by its old name", "--coordinator " + c, nil, "coordinator-c", false},
		{"a server by a variable", "", map[string]string{"JETMON_SERVER": c}, "coordinator-c", false},
		{"a server by its old variable", "", map[string]string{"JETMON_COORDINATOR": c}, "coordinator-c", false},
		{"the new variable before the old", "", map[string]string{"JETMON_SERVER": c, "JETMON_COORDINATOR": b}, "coordinator-c", false},
		{"a server with the credentials of a context that is named", "--context a --server " + c, nil, "coordinator-c", true},
	} {
		env := map[string]string{"XDG_CONFIG_HOME": home}
		for k, v := range tt.env {
			env[k] = v
		}
		code, stdout, stderr := run(t, env, append([]string{"fleet", "-o", "ndjson"}, strings.Fields(tt.args)...)...)
		if code != exitOK || !strings.Contains(stdout, tt.want) || strings.Contains(stdout, "jetmon_aaa") != tt.token {
			t.Errorf("%s: exit code %d: %s%s, want %s with a token: %v", tt.name, code, stdout, stderr, tt.want, tt.token)
		}
	}
	if info, err := os.Stat(filepath.Join(home, "jetmon", "config.yaml")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
}

func TestContextsAreListedShownChangedAndForgotten(t *testing.T) {
	t.Parallel()
	env := map[string]string{"HOME": t.TempDir()}
	open := worldReadable(t, "jetmon_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n")
	ca := write(t, "ca.crt", "x")
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"context list", exitOK, "There are no contexts in " + env["HOME"] + "/.config/jetmon/config.yaml."},
		{"context list --json", exitOK, "{\n  \"current\": \"\",\n  \"contexts\": {}\n}\n"},
		{"context show", exitFailed, "no context is in use"},
		{"context set x!", exitUsage, `"x!" is no name of a context`},
		{"context set prod", exitUsage, `--server: "" is not HOST:PORT`},
		{"context set prod --server nonsense", exitUsage, `--server: "nonsense" is not HOST:PORT`},
		{"context set prod --server a:1 --ca /nowhere/ca.crt", exitUsage, "there is no file /nowhere/ca.crt"},
		{"context set prod --server a:1 --token-file " + open, exitUsage, "everybody on this machine may read"},
		{"context set prod --server a:1 --ca " + ca, exitOK, ""},
		{"context set test --server b:2 --insecure", exitOK, ""},
		{"context list --json", exitOK, "{\n  \"current\": \"prod\",\n  \"contexts\": {\n    \"prod\": {\n      \"server\": \"a:1\",\n      \"ca\": \"" + ca + "\"\n    },\n    \"test\": {\n      \"server\": \"b:2\",\n      \"insecure\": true\n    }\n  }\n}\n"},
		{"context list", exitOK, "   NAME  SERVER  TOKEN FILE\n*  prod  a:1\n   test  b:2\n"},
		{"context show", exitOK, "context               prod\n--coordinator-tls-ca  " + ca + "\n--server              a:1\n"},
		{"context set prod --ca= --server c:3", exitOK, ""},
		{"context show prod", exitOK, "context   prod\n--server  c:3\n"},
		{"context use nowhere", exitFailed, `there is no context "nowhere": jetmon context list shows them`},
		{"context use test", exitOK, ""},
		{"context show", exitOK, "--coordinator-insecure  true\n"},
		{"context delete test", exitOK, ""},
		{"context show", exitFailed, "no context is in use"},
		{"fleet --context test", exitUsage, `there is no context "test"`},
	} {
		code, stdout, stderr := run(t, env, strings.Fields(tt.args)...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.want) || code != exitOK && strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s%s", tt.args, code, tt.code, tt.want, stdout, stderr)
		}
	}
	path := filepath.Join(env["HOME"], ".config", "jetmon", "config.yaml")
	if err := os.WriteFile(path, []byte("contexts: {a: {sever: x}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"fleet", "context list", "context use a", "context set a --server b:1"} {
		if code, _, stderr := run(t, env, strings.Fields(args)...); code != exitUsage || !strings.Contains(stderr, path+": ") || !strings.Contains(stderr, "sever") {
			t.Errorf("%s: a file with a mistake: exit code %d: %s", args, code, stderr)
		}
	}
	if _, err := contexts.Read(path); err == nil {
		t.Error("a file with a mistake is read")
	}
}

// A variable that is left over from elsewhere must not change sites.
func TestEditsTakeNothingFromTheEnvironment(t *testing.T) {
	t.Parallel()
	env := map[string]string{"JETMON_INTERVAL": "1m", "JETMON_URL": "http://x.example/", "JETMON_YES": "1", "JETMON_TAG": "x", "JETMON_PAUSED": "1"}
	if code, _, stderr := run(t, env, "sites", "edit", "3"); code != exitUsage || !strings.Contains(stderr, "there is nothing to change") {
		t.Errorf("edit: exit code %d: %s", code, stderr)
	}
	if code, _, stderr := run(t, env, "sites", "delete", "3"); code != exitUsage || !strings.Contains(stderr, "give --yes") {
		t.Errorf("delete: exit code %d: %s", code, stderr)
	}
}
