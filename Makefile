# Everything that a developer or CI does here. Needs Go and make; other tools are
# pinned in tools/go.mod and are compiled on first use.

TOOL := go tool -modfile=tools/go.mod
BUF  := $(TOOL) buf

# Extra flags of go test: make test TESTFLAGS='-run TestX -v'
TESTFLAGS ?=
# Time of each fuzz target, and of each benchmark.
FUZZTIME  ?= 30s
BENCHTIME ?= 1s
# Time of all random tests together in make soak.
SOAKTIME  ?= 10m
# PKG narrows test, fuzz, soak and bench: make bench PKG=./internal/probe
PKG ?= ./...

# One set of flags for all that is not watched by the race detector, which needs cgo: tests, tools,
# the program, its package and its image share what is compiled once.
export GOFLAGS += -trimpath
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
# node_modules of the tools that check the description of the REST API. npm downloads them once,
# at the versions of tools/npm/package-lock.json.
NPM := tools/npm/node_modules/.package-lock.json

.PHONY: help build run test test-race generate check check-api check-generated check-breaking check-tidy lint fuzz soak bench sim-quorum chaos clean mariadb galera programs wordpress test-wordpress test-galera docs-viewer vendor-ui test-cockpit browser deb test-deb packaging image test-image

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## compile bin/jetmon
	go build -o bin/jetmon ./cmd/jetmon

run: build ## compile and start the whole system in one process: jetmon dev
	./bin/jetmon dev

test: programs ## all tests; installs the programs that they run where it can
	go test -timeout 15m $(TESTFLAGS) $(PKG)

# The rules have no goroutines (internal/arch), and their long random tests would take five
# times as long under the race detector, which could find nothing. The days that test/judging
# lives through would take ten times as long, for code that has tests of its own under the
# detector. It watches our code, not SQLite, which is translated from C and would make the tests
# of the store take four times as long. The stories of test/scenario, of some whole fleets at once
# with real deadlines, come last and have the machine to themselves.
RACE := -race -gcflags=modernc.org/...=-race=false
PLAIN := /coordinator/rules/|/test/judging$$
STORIES := /test/scenario$$
RACETEST := CGO_ENABLED=1 go test $(RACE) -timeout 30m $(TESTFLAGS)
test-race: programs ## all tests, those of packages with goroutines under the race detector
	@all=$$(go list $(PKG)) || exit 1; \
	some() { echo "$$all" | grep -E "$$@" || true; }; \
	plain=$$(some '$(PLAIN)'); stories=$$(some '$(STORIES)'); others=$$(some -v '$(PLAIN)|$(STORIES)'); \
	if [ -n "$$plain" ]; then echo "go test $(TESTFLAGS)" $$plain; go test -timeout 15m $(TESTFLAGS) $$plain || failed=1; fi; \
	if [ -n "$$others" ]; then echo "go test $(RACE) $(TESTFLAGS) the others"; $(RACETEST) $$others || failed=1; fi; \
	if [ -n "$$stories" ]; then echo "go test $(RACE) $(TESTFLAGS) $$stories"; $(RACETEST) $$stories || failed=1; fi; \
	exit $${failed:-0}

generate: ## write gen/ from proto/ (offline, pinned tools)
	$(BUF) generate
	$(BUF) generate --template buf.gen.openapi.yaml

# The order lets the cheap ones fail first; go vet has had its say before the tests run.
check: check-generated lint check-breaking check-tidy check-api ## what CI runs: generation clean, lint, the API's description, vet, staticcheck, test-race, Galera, the cockpit, the Debian package, the image
	$(MAKE) test-race TESTFLAGS='-vet=off $(TESTFLAGS)'
	$(MAKE) test-galera
	$(MAKE) test-cockpit
	$(MAKE) test-deb
	$(MAKE) test-image

check-generated: generate ## gen/ is what proto/ says, and committed
	@dirty=$$(git status --porcelain -- gen) || exit 1; \
	if [ -n "$$dirty" ]; then \
		echo "gen/ is not what proto/ says, or is not committed: run 'make generate' and commit" >&2; \
		echo "$$dirty" >&2; git --no-pager diff --stat -- gen >&2; exit 1; \
	fi

# The client that openapi-typescript makes of the description must compile.
check-api: $(NPM) ## the description of the REST API has no mistakes, and a client is made of it
	@cd tools/npm && export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true && api=../../gen/openapi/jetmon.openapi.json && \
	client=$$(mktemp -d) && trap 'rm -rf "$$client"' EXIT && run() { "$$@" >"$$client/log" 2>&1 || { cat "$$client/log" >&2; exit 1; }; } && \
	echo "redocly lint" && run node_modules/.bin/redocly lint --config redocly.yaml $$api && \
	echo "spectral lint" && run node_modules/.bin/spectral lint --fail-severity warn -r spectral.yaml $$api && \
	echo "openapi-typescript, tsc" && run node_modules/.bin/openapi-typescript $$api -o "$$client/api.d.ts" && \
	cp client.ts tsconfig.json "$$client" && run node_modules/.bin/tsc -p "$$client" && \
	for file in swagger-ui.css swagger-ui-bundle.js LICENSE NOTICE; do \
		cmp node_modules/swagger-ui-dist/$$file ../../gateway/docs/swagger-ui/$$file || { echo "run make docs-viewer and commit" >&2; exit 1; }; \
	done

docs-viewer: $(NPM) ## copy the viewer of /docs from npm to gateway/docs
	cd tools/npm/node_modules/swagger-ui-dist && cp swagger-ui.css swagger-ui-bundle.js LICENSE NOTICE ../../../../gateway/docs/swagger-ui/

vendor-ui: $(NPM) ## copy the libraries of the cockpit from npm to gateway/ui/app/vendor
	node tools/npm/vendor-ui.mjs

# Pictures of every page go to test/cockpit/screenshots.
test-cockpit: $(NPM) browser ## the cockpit: its modules by node, its pages in Chromium
	node tools/npm/vendor-ui.mjs --check
	node --test --test-reporter=dot gateway/ui/test/
	go -C test/cockpit test -timeout 15m $(TESTFLAGS) ./...

# make image VERSION=v1.2.3 IMAGE=registry.example.org/jetmon
IMAGE   ?= jetmon
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
image: ## build the container image of all roles with Docker
	docker build --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) \
		--build-arg CREATED=$$(date -u +%Y-%m-%dT%H:%M:%SZ) -t $(IMAGE):$(VERSION) .

# Without Docker, but as root: namespaces and mounts stand for containers.
test-image: mariadb ## the Dockerfile's steps, the fleet of the compose file, the Helm chart
	go -C test/packaging test -timeout 10m $(TESTFLAGS) ./...

# Without the race detector: test-race has it watch the same code on a single server. Tests on a
# cluster wait more than they work. JETMON_TEST_DSN, with blanks between several, has the store's
# suite run on other servers as well: docs/databases.md.
GALERA := ./test/galera ./coordinator/state/store/sqlstore ./test/scenario
test-galera: galera ## the store and takeovers on a cluster of three nodes of Galera
	go vet -tags galera $(GALERA)
	$(TOOL) staticcheck -tags galera $(GALERA)
	go test -tags galera -count=1 -vet=off -parallel 8 -timeout 15m $(TESTFLAGS) -run Galera $(GALERA)

$(NPM): tools/npm/package-lock.json
	@if ! command -v npm >/dev/null; then \
		if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then echo "checking the API needs npm: install Debian's npm" >&2; exit 1; fi; \
		echo "installing npm"; { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends npm; } >/dev/null 2>&1; \
	fi
	cd tools/npm && npm ci --no-audit --no-fund --ignore-scripts
	@touch $@

# Against the point where the branch left main; on main, against the commit before
# the last change of proto/. Without that history there is nothing to compare with.
check-breaking: ## proto/ breaks nothing that was promised before
	@head=$$(git rev-parse HEAD) || exit 1; \
	base=$$(git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || true); \
	if [ -z "$$base" ] || [ "$$base" = "$$head" ]; then \
		last=$$(git rev-list -1 HEAD -- proto); \
		base=$$(git rev-parse --quiet --verify "$$last^" || true); \
	fi; \
	if [ -z "$$base" ] || ! git cat-file -e "$$base:proto" 2>/dev/null; then \
		echo "buf breaking: no earlier contract in this clone, nothing to compare with"; exit 0; \
	fi; \
	old=$$(mktemp -d) && trap 'rm -rf "$$old"' EXIT && \
	git archive "$$base" buf.yaml proto third_party | tar -x -C "$$old" && \
	echo "buf breaking --against $$base" && $(BUF) breaking --against "$$old"

check-tidy: ## each go.mod names exactly what is used
	go mod tidy -diff
	go -C tools mod tidy -diff
	go -C test/cockpit mod tidy -diff
	go -C test/packaging mod tidy -diff
	go -C tools/nfpm mod tidy -diff

lint: ## buf lint, gofmt, go vet, staticcheck
	$(BUF) lint
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not gofmt'ed:" >&2; echo "$$unformatted" >&2; exit 1; fi
	go vet ./...
	$(TOOL) staticcheck ./...
	go -C test/cockpit vet ./...
	cd test/cockpit && go tool -modfile=../../tools/go.mod staticcheck ./...
	go -C test/packaging vet ./...
	cd test/packaging && go tool -modfile=../../tools/go.mod staticcheck ./...

fuzz: ## run every fuzz target for FUZZTIME
	@set -e; for dir in $$(go list -f '{{.Dir}}' $(PKG)); do \
		for name in $$(cat "$$dir"/*_test.go 2>/dev/null | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p'); do \
			echo "fuzz $$name in $$dir"; \
			(cd "$$dir" && go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) .); \
		done; \
	done

# Tests that are random have fixed seeds in make test (test/seeds). Here each has an equal
# share of the time, and one seed at least; what fails says how to repeat it. A seed that
# failed joins the list of its test. With the race detector: make soak TESTFLAGS=-race CGO_ENABLED=1
soak: programs ## run every random test with new seeds, for SOAKTIME in all
	@tests=$$(for dir in $$(go list -f '{{.Dir}}' $(PKG)); do \
		cat "$$dir"/*_test.go 2>/dev/null | awk -v dir="./$${dir#"$$PWD"/}" \
			'/^func / { name = $$2; sub(/\(.*/, "", name) } /[ \t]seeds\.(Run|Check)\(t, / { print dir ":" name }' | sort -u; \
	done); \
	n=$$(echo $$tests | wc -w); failed=0; out=$$(mktemp) && trap 'rm -f "$$out"' EXIT; \
	echo "$$n random tests share $(SOAKTIME)"; \
	for one in $$tests; do \
		if TESTSOAK="$(SOAKTIME)/$$n" go test -count=1 -v -timeout 25h $(TESTFLAGS) -run "^$${one#*:}\$$" "$${one%:*}" >"$$out" 2>&1 \
			&& grep -q 'new seeds$$' "$$out"; then \
			echo "$${one%:*} $${one#*:}: $$(sed -n 's/^.*: \([0-9]* new seeds\)$$/\1/p' "$$out")"; \
		else \
			failed=$$((failed + 1)); grep -Ev '^ *(=== (PAUSE|CONT|NAME)|--- PASS)' "$$out" | tail -n 200; \
		fi; \
	done; \
	if [ $$failed != 0 ]; then echo "$$failed of $$n random tests failed" >&2; exit 1; fi

bench: ## run every benchmark; PKG=./internal/probe for one package
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) $(PKG)
ifneq ($(filter ./... ./internal/probe,$(PKG)),)
	@echo "checks beside a tuned net/http client (docs/performance.md)"
	go run ./test/load/checks
endif
ifneq ($(filter ./... ./coordinator/edge/stream,$(PKG)),)
	@echo "what a coordinator spends on a check, beside a bare stream (docs/performance.md)"
	go run ./test/load/fleet/instant -for 3s -headers 0
endif
ifneq ($(filter ./... ./coordinator,$(PKG)),)
	@$(MAKE) --no-print-directory mariadb
	@echo "1,000,000 sites loaded, beside bare scans of their table (docs/performance.md)"
	go run ./test/load/fleet -sites 1000000 -for 1s -settle 0s
	@echo "a coordinator at 200,000 sites, and short of checkers (docs/performance.md)"
	go run ./test/load/fleet -sites 200000 -interval 1m -for 70s -settle 5s -capacity 1700
endif

# The same seed gives the same table: make sim-quorum SIMFLAGS='-seed 2 -escalations 100000'
sim-quorum: ## reckon how often the verifliers are wrong together, for each size of panel
	go run ./test/sim/quorum $(SIMFLAGS)

# One seed and time give the same faults at the same moments, not the same races between
# processes: make chaos TESTSEED=7 CHAOSFLAGS=-chaos.for=1h. Without one it draws a new seed.
CHAOSFLAGS ?= -chaos.for=10m -murder.for=5m
chaos: mariadb ## kill, stop and cut off coordinators, checkers and the database at random
	TESTSOAK=1s go test ./test/scenario -count=1 -v -timeout 25h -run '^(TestWhateverFails|TestEveryoneIsTold)' -args $(CHAOSFLAGS)

# JETPACK_DIR is the directory of a Jetpack plugin, the complete one or another with its
# connection and sync packages: make test-wordpress JETPACK_DIR=/path/to/jetpack
test-wordpress: wordpress ## compare the diagnosis and the fake site with a real WordPress and the plugin in JETPACK_DIR
	@if [ -z "$(JETPACK_DIR)" ]; then echo "JETPACK_DIR must be the directory of a Jetpack plugin" >&2; exit 1; fi
	go vet -tags wordpress ./test/wordpress ./internal/jetpack/...
	JETPACK_DIR="$(abspath $(JETPACK_DIR))" go test -tags wordpress -count=1 ./internal/jetpack/signature ./internal/jetpack/syncqueue
	JETPACK_DIR="$(abspath $(JETPACK_DIR))" go test -tags wordpress -count=1 -timeout 30m ./test/wordpress $(TESTFLAGS)

deb: ## build the Debian package: dist/jetmon_VERSION_ARCH.deb
	deploy/debian/build.sh dist

# In a machine of its own: processes, mounts, a network and systemd. Nothing of this one changes.
test-deb: packaging ## install, run, upgrade and purge the Debian package, as deploy/README.md and docs/upgrading.md say; needs root
	@if [ "$$(id -u)" != 0 ]; then echo "make test-deb starts a machine of its own: run it as root, on Debian" >&2; exit 1; fi
	go vet -tags packaging ./test/debian
	go test -tags packaging -count=1 -timeout 15m $(TESTFLAGS) ./test/debian

clean: ## remove what was built
	rm -rf bin dist

# The programs that the tests run, each with Debian's package of it. The tests start their own
# mariadbd in a temporary directory; policy-rc.d keeps Debian from starting a server of its own.
mariadb: NEEDED := mariadbd=mariadb-server mariadb-install-db=mariadb-server
programs: NEEDED := mariadbd=mariadb-server mariadb-install-db=mariadb-server \
	bash=bash zsh=zsh fish=fish groff=groff-base mandoc=mandoc php=php-cli curl=curl openssl=openssl

galera: NEEDED := mariadbd=mariadb-server mariadb-install-db=mariadb-server rsync=rsync /usr/lib/galera/libgalera_smm.so=galera-4

wordpress: NEEDED := mariadbd=mariadb-server mariadb-install-db=mariadb-server nginx=nginx php=php-cli faketime=faketime \
	$(foreach package,wordpress php-fpm php-mysql php-xml php-curl,/usr/share/doc/$(package)=$(package))

browser: NEEDED := chromium=chromium node=nodejs

packaging: NEEDED := mariadbd=mariadb-server mariadb-install-db=mariadb-server systemctl=systemd dpkg-deb=dpkg lintian=lintian \
	nsenter=util-linux ss=iproute2 man=man-db curl=curl

programs: ## install the programs that the tests run, where it can
programs mariadb galera wordpress browser packaging:
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin"; missing=; \
	for program in $(NEEDED); do \
		if ! command -v "$${program%=*}" >/dev/null && [ ! -e "$${program%=*}" ]; then missing="$$missing $${program#*=}"; fi; \
	done; \
	missing=$$(printf '%s\n' $$missing | sort -u | tr '\n' ' '); missing=$${missing% }; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing $$missing for the tests"; log=$$(mktemp); policy=/usr/sbin/policy-rc.d; \
		if [ -e $$policy ]; then policy=; else printf '#!/bin/sh\nexit 101\n' >$$policy; chmod +x $$policy; fi; \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $$missing; } >"$$log" 2>&1; ok=$$?; \
		if [ -n "$$policy" ]; then rm -f "$$policy"; fi; \
		if [ $$ok = 0 ]; then rm -f "$$log"; exit 0; fi; tail -n 5 "$$log" >&2; rm -f "$$log"; \
	fi; \
	echo "the tests run programs that are missing: install Debian's $$missing" >&2; exit 1
