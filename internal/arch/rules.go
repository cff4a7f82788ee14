package arch

import "slices"

// Packages are named by their path inside the module ("gateway"), with /... for all
// below ("coordinator/..." is coordinator too). What a package imports is named the
// same way when it is ours and by its import path when it is not.

// importRule is a sentence about imports.
type importRule struct {
	// why is what a reader is told who breaks the rule.
	why string
	// of the packages it binds, less those of except.
	of, except []string
	// deny lists what they must not import; allow, when given, all that they may.
	deny, allow []string
}

// roles are the processes. They meet over gRPC.
func roles() []string {
	return []string{"coordinator/...", "checker/...", "veriflier/...", "gateway/..."}
}

// compositionRoots build roles and run them together in one process.
func compositionRoots() []string { return []string{"internal/cluster/...", "internal/dev/..."} }

// pure are the packages that decide: values in, values out. The folder coordinator/rules
// holds nothing else, but for what its tests need.
func pure() []string {
	return []string{"coordinator/rules/...", "coordinator/engine/checkers", "internal/check", "internal/backoff"}
}

// forTests are packages below pure ones that only tests use.
func forTests() []string { return []string{"coordinator/rules/shard/shardtest"} }

// parts are the objects of which the engine is composed. They decide as the pure packages
// do, in the nouns of coordinator/state/store: rows, buckets, evidence. That package also
// has interfaces with a context; parts use its values alone.
func parts() []string {
	return []string{"coordinator/engine/changelog", "coordinator/engine/roster", "coordinator/engine/snapshot"}
}

// valuePackages are those of the standard library that hold no state of the world.
func valuePackages() []string {
	return []string{
		"bytes", "cmp", "container/...", "encoding/...", "errors", "fmt", "hash/...", "iter", "maps", "math", "math/bits",
		"math/rand/v2", "net/netip", "net/url", "regexp", "slices", "sort", "strconv", "strings", "time", "unicode/...",
	}
}

func importRules() []importRule { return append(folderRules(), moduleRules()...) }

// folderRules say what the folders of the coordinator may do: see docs/design/0010.
func folderRules() []importRule {
	return []importRule{{
		why:    "a pure package imports value packages of the standard library, internal/check and its like only",
		of:     pure(),
		except: forTests(),
		allow:  append(valuePackages(), pure()...),
	}, {
		why:   "a part of the engine imports what a pure package may, and the nouns of the store",
		of:    parts(),
		allow: slices.Concat(valuePackages(), pure(), parts(), []string{"coordinator/state/store"}),
	}, {
		why: "the engine speaks to the edge through its ports, and of the state it knows the store's nouns only",
		of:  []string{"coordinator/engine/..."},
		deny: []string{
			"coordinator/edge/...", "gen/...", "google.golang.org/grpc/...", "coordinator/watchdog",
			"coordinator/state/checkpoint", "coordinator/state/committer", "coordinator/state/deletion", "coordinator/state/loader",
			"coordinator/state/ownership", "coordinator/state/retention", "coordinator/state/store/sqlstore",
		},
	}, {
		why:  "what keeps state does not know who asks from outside, nor how they speak",
		of:   []string{"coordinator/state/..."},
		deny: []string{"coordinator/edge/...", "coordinator/watchdog", "gen/...", "google.golang.org/grpc/..."},
	}, {
		why:  "the edge speaks to any store; the coordinator is given one",
		of:   []string{"coordinator/edge/..."},
		deny: []string{"coordinator/state/store/sqlstore"},
	}}
}

// moduleRules bind the whole module.
func moduleRules() []importRule {
	rules := []importRule{{
		why:    "what all roles share must not know one of them; only the composition roots put them together",
		of:     []string{"internal/..."},
		except: compositionRoots(),
		deny:   roles(),
	}, {
		why:    "only cmd/jetmon, tests and another composition root stand above a composition root",
		of:     []string{"..."},
		except: append([]string{"cmd/jetmon/...", "test/..."}, compositionRoots()...),
		deny:   compositionRoots(),
	}, {
		why:    "SQL is spoken in coordinator/state/store/sqlstore only",
		of:     []string{"..."},
		except: []string{"coordinator/state/store/sqlstore/...", "test/..."},
		deny: []string{
			"database/sql/...", "github.com/go-sql-driver/mysql/...", "modernc.org/sqlite/...", "github.com/pressly/goose/...",
		},
	}, {
		why:  "generated code is for the wire; the prober speaks internal/check",
		of:   []string{"internal/probe/..."},
		deny: []string{"gen/..."},
	}, {
		why:    "flags and signals are read in cmd/jetmon only; others get Options",
		of:     []string{"..."},
		except: []string{"cmd/jetmon/...", "test/..."},
		deny:   []string{"flag", "os/signal", "github.com/alecthomas/kong/..."},
	}, {
		why:    "cmd/jetmon is the end of the line",
		of:     []string{"..."},
		except: []string{"cmd/jetmon/..."},
		deny:   []string{"cmd/..."},
	}}
	for _, role := range roles() {
		rules = append(rules, importRule{
			why:  "roles never import one another; they meet over gRPC",
			of:   []string{role},
			deny: without(roles(), role),
		})
	}
	return rules
}

// useRule is a sentence about functions and variables of other packages.
type useRule struct {
	why        string
	of, except []string
	// deny lists them as "import/path.Name", with Name * for all.
	deny []string
	// allow lists exceptions from a *.
	allow []string
}

func useRules() []useRule {
	return []useRule{{
		why: "a pure package is given the time; it never looks at a clock",
		of:  append(pure(), parts()...),
		deny: []string{
			"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc", "time.Tick",
			"time.NewTimer", "time.NewTicker", "time.Local",
		},
	}, {
		why:    "a pure package is given its randomness; it never draws from the global source",
		of:     pure(),
		except: forTests(),
		deny:   []string{"math/rand/v2.*"},
		allow: []string{
			"math/rand/v2.New", "math/rand/v2.NewPCG", "math/rand/v2.NewChaCha8", "math/rand/v2.NewZipf",
			"math/rand/v2.Rand", "math/rand/v2.Source", "math/rand/v2.PCG", "math/rand/v2.ChaCha8", "math/rand/v2.Zipf",
		},
	}, {
		why:    "environment, arguments and the end of the process are cmd/jetmon's",
		of:     []string{"..."},
		except: []string{"cmd/jetmon/...", "test/..."},
		deny: []string{
			"os.Exit", "os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv", "os.Setenv", "os.Args",
			"log.Fatal", "log.Fatalf", "log.Fatalln", "syscall.Exit",
		},
	}}
}

// bannedNames say nothing about what a package owns.
func bannedNames() []string {
	return []string{"util", "utils", "common", "helper", "helpers", "types", "core", "manager", "misc", "shared", "base", "impl"}
}

// A package-level variable is state that every test and role of a process shares, so
// it must be one that nobody can change. What a parser can see of that:
//
//   - blank, for an assertion at compile time;
//   - filled by //go:embed;
//   - made by one of these functions, whose results are immutable;
//   - unexported, a composite literal (a table), and nowhere in its package assigned
//     to, incremented, deleted from, cleared, copied into or addressed.
//
// Whatever else one wants is a constant, a function, or a field of a value.
func immutableMakers() []string {
	return []string{
		"errors.New", "fmt.Errorf", "regexp.MustCompile", "net/netip.MustParseAddr", "net/netip.MustParsePrefix",
		"net/netip.AddrFrom4", "strings.NewReplacer", "html/template.Must", "text/template.Must",
		"hash/crc32.MakeTable", "hash/crc64.MakeTable",
	}
}

// statefulTypes make a composite literal no table.
func statefulTypes() []string {
	return []string{"sync.*", "sync/atomic.*", "net/http.*", "bytes.Buffer"}
}

// testMakers are allowed in test/..., whose packages serve the tests of a process.
func testMakers() []string { return []string{"sync.OnceFunc", "sync.OnceValue", "sync.OnceValues"} }

// Most lines of a file; and most lines and parameters of a function and most methods of
// an interface, tests aside.
const (
	maxLines         = 400
	maxTestLines     = 800
	maxFunctionLines = 60
	maxParameters    = 4
	maxMethods       = 12
)

// leadingTypes are those of a first parameter that everybody knows by its place.
func leadingTypes() []string {
	return []string{"context.Context", "testing.T", "testing.B", "testing.TB"}
}

// givenTypes occur only in signatures that a library prescribes.
func givenTypes() []string {
	return []string{
		"google.golang.org/grpc.UnaryInvoker", "google.golang.org/grpc.Streamer",
		"google.golang.org/grpc.UnaryHandler", "google.golang.org/grpc.StreamHandler",
	}
}
