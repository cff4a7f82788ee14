package arch

import "slices"

// The tables name packages by their path inside the module ("gateway"), with /... for the
// package and all below it ("coordinator/..." includes coordinator). Packages of other
// modules go by their import path.

// importRule is one rule about imports.
type importRule struct {
	// why explains the rule to a person who breaks it.
	why string
	// of lists the packages that the rule binds, except the exceptions.
	of, except []string
	// deny lists the imports they must not have; allow, if set, the only ones they may have.
	deny, allow []string
}

// roles lists the roles. They meet over gRPC.
func roles() []string {
	return []string{"coordinator/...", "checker/...", "veriflier/...", "gateway/..."}
}

// compositionRoots lists the packages that run several roles in one process.
func compositionRoots() []string { return []string{"internal/cluster/...", "internal/dev/..."} }

// rulePackages lists the packages that decide for others: values in, values out. The folder
// coordinator/rules contains nothing else, except for its tests' needs.
func rulePackages() []string {
	return []string{
		"coordinator/rules/...",
		"internal/address", "internal/ascii", "internal/backoff", "internal/badge", "internal/cadence", "internal/check", "internal/limits", "internal/list", "internal/page", "internal/table", "internal/traceid", "internal/weburl",
	}
}

// parts lists the engine's components, which decide in the same way, and the engine itself.
func parts() []string { return []string{"coordinator/engine/..."} }

// pure lists all packages that decide; impure lists those below them that do not: the
// engine, which has the lock, and packages that only tests use.
func pure() []string   { return slices.Concat(rulePackages(), parts()) }
func impure() []string { return append(forTests(), "coordinator/engine") }

// forTests lists packages below pure ones that only tests use.
func forTests() []string { return []string{"coordinator/rules/shard/shardtest"} }

// valuePackages lists the packages of the standard library without access to the outside
// world, and the ones for international names, for HTML, and for rules of calendars.
func valuePackages() []string {
	return []string{
		"bytes", "cmp", "container/...", "encoding/...", "errors", "fmt", "hash/...", "iter", "maps", "math", "math/bits",
		"math/rand/v2", "net/netip", "net/url", "regexp", "slices", "sort", "strconv", "strings", "time", "unicode/...",
		"golang.org/x/net/idna",
		"golang.org/x/net/html",                         // a parser: bytes in, tokens out
		"github.com/teambition/rrule-go", "time/tzdata", // days and zones in, times out
	}
}

func importRules() []importRule { return append(folderRules(), moduleRules()...) }

// folderRules bind the folders of the coordinator: see docs/design/0010.
func folderRules() []importRule {
	return []importRule{{
		why:    "a pure package imports only value packages and other pure packages",
		of:     rulePackages(),
		except: impure(),
		allow:  append(valuePackages(), rulePackages()...),
	}, {
		why:    "a part of the engine imports only what the rules may import, and other parts",
		of:     parts(),
		except: impure(),
		allow:  append(valuePackages(), pure()...),
	}, {
		why: "the engine reaches the edge and the state through its ports",
		of:  []string{"coordinator/engine"},
		deny: []string{
			"coordinator/edge/...", "coordinator/state/...", "coordinator/watchdog", "gen/...", "google.golang.org/grpc/...",
			"net", "net/http", "os/...", "database/...",
		},
	}, {
		why:  "the state knows neither its outside callers nor their protocols",
		of:   []string{"coordinator/state/..."},
		deny: []string{"coordinator/edge/...", "coordinator/watchdog", "gen/...", "google.golang.org/grpc/..."},
	}, {
		why:  "the edge works with any store; the caller of coordinator.New chooses one",
		of:   []string{"coordinator/edge/..."},
		deny: []string{"coordinator/state/store/sqlstore"},
	}}
}

// moduleRules bind the whole module.
func moduleRules() []importRule {
	rules := []importRule{{
		why:    "packages that all roles share must not know a role; only the composition roots combine roles",
		of:     []string{"internal/..."},
		except: compositionRoots(),
		deny:   roles(),
	}, {
		why:    "only cmd/jetmon, tests and another composition root may import a composition root",
		of:     []string{"..."},
		except: append([]string{"cmd/jetmon/...", "test/..."}, compositionRoots()...),
		deny:   compositionRoots(),
	}, {
		why:    "only coordinator/state/store/sqlstore uses SQL",
		of:     []string{"..."},
		except: []string{"coordinator/state/store/sqlstore/...", "test/..."},
		deny: []string{
			"database/sql/...", "github.com/go-sql-driver/mysql/...", "modernc.org/sqlite/...", "github.com/pressly/goose/...",
		},
	}, {
		why:  "generated code is for the wire; the prober uses internal/check",
		of:   []string{"internal/probe/..."},
		deny: []string{"gen/..."},
	}, {
		why:    "only cmd/jetmon reads flags and signals; other packages get Options",
		of:     []string{"..."},
		except: []string{"cmd/jetmon/...", "test/..."},
		deny:   []string{"flag", "os/signal", "github.com/alecthomas/kong/..."},
	}, {
		why:    "nothing imports cmd/jetmon",
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

// useRule is one rule about functions and variables of other packages.
type useRule struct {
	why        string
	of, except []string
	// deny lists forbidden names as "import/path.Name"; the Name * stands for all.
	deny []string
	// allow lists exceptions from a *.
	allow []string
}

func useRules() []useRule {
	return []useRule{{
		why:    "a pure package gets the time as an argument and never reads a clock",
		of:     pure(),
		except: impure(),
		deny: []string{
			"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc", "time.Tick",
			"time.NewTimer", "time.NewTicker", "time.Local",
		},
	}, {
		why:    "a pure package gets its randomness as an argument and never uses the global source",
		of:     pure(),
		except: impure(),
		deny:   []string{"math/rand/v2.*"},
		allow: []string{
			"math/rand/v2.New", "math/rand/v2.NewPCG", "math/rand/v2.NewChaCha8", "math/rand/v2.NewZipf",
			"math/rand/v2.Rand", "math/rand/v2.Source", "math/rand/v2.PCG", "math/rand/v2.ChaCha8", "math/rand/v2.Zipf",
		},
	}, {
		why:    "only cmd/jetmon reads the environment and arguments, and ends the process",
		of:     []string{"..."},
		except: []string{"cmd/jetmon/...", "test/..."},
		deny: []string{
			"os.Exit", "os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv", "os.Setenv", "os.Args",
			"log.Fatal", "log.Fatalf", "log.Fatalln", "syscall.Exit",
		},
	}}
}

// bannedNames lists package names that do not tell what a package owns.
func bannedNames() []string {
	return []string{"util", "utils", "common", "helper", "helpers", "types", "core", "manager", "misc", "shared", "base", "impl"}
}

// A package-level variable is state that every test and role of a process shares, so it must
// be immutable. As far as a parser can tell, an immutable variable is:
//
//   - blank, for an assertion at compile time;
//   - filled by //go:embed;
//   - the result of one of these functions, which return immutable values;
//   - unexported, a composite literal (a table) or a string without a value (which the
//     linker fills, as the version), and nowhere in its package assigned
//     to, incremented, deleted from, cleared, copied into or addressed.
//
// Use a constant, a function, or a field of a value for everything else.
func immutableMakers() []string {
	return []string{
		"errors.New", "fmt.Errorf", "regexp.MustCompile", "net/netip.MustParseAddr", "net/netip.MustParsePrefix",
		"net/netip.AddrFrom4", "strings.NewReplacer", "html/template.Must", "text/template.Must",
		"hash/crc32.MakeTable", "hash/crc64.MakeTable",
	}
}

// statefulTypes lists types whose composite literals are no tables.
func statefulTypes() []string {
	return []string{"sync.*", "sync/atomic.*", "net/http.*", "bytes.Buffer"}
}

// testMakers are also allowed in test/..., whose packages serve the tests of a process.
func testMakers() []string { return []string{"sync.OnceFunc", "sync.OnceValue", "sync.OnceValues"} }

// The limits on lines of a file, and outside tests on lines and parameters of a function and
// methods of an interface.
const (
	maxLines         = 400
	maxTestLines     = 800
	maxFunctionLines = 60
	maxParameters    = 4
	maxMethods       = 12
)

// leadingTypes lists types of a first parameter that is known by convention.
func leadingTypes() []string {
	return []string{"context.Context", "testing.T", "testing.B", "testing.TB"}
}

// givenTypes lists types that occur only in signatures that a library prescribes.
func givenTypes() []string {
	return []string{
		"google.golang.org/grpc.UnaryInvoker", "google.golang.org/grpc.Streamer",
		"google.golang.org/grpc.UnaryHandler", "google.golang.org/grpc.StreamHandler",
	}
}
