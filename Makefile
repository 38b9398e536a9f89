# What there is to do here. "make ci" is what CI runs; .ci/run installs what it
# needs first.

GO      ?= go
BIN     := $(CURDIR)/bin
export PATH := $(BIN):$(PATH)

FUZZTIME ?= 60s
CYCLES   ?= 200
CUTS     ?= 200
KILLS    ?= 100
JOBS     ?= 50
SPLITS   ?= 24
DURATION ?= 5m
RATE     ?= 1000
HISTORY  ?= 1000000
SOAK     ?= 10m
# the newest commit with the format before this one
PREVIOUS ?= baa7df4
BENCHTIME ?= 1s
# flags of bench/peers
PEERS ?=

# expressions at every transition
EXPRESSIONS ?= 50

.PHONY: all
all: vet test lint

## Checks

.PHONY: test
test:
	$(GO) test ./...

.PHONY: telemetry
telemetry: # the modules for Prometheus and OpenTelemetry; with promtool in the path it checks the rules, too
	cd prometheus && $(GO) test ./...
	cd otel && $(GO) test ./...

.PHONY: race race-ci
race:
	$(GO) test -race -timeout 60m ./...
race-ci: # all but seven long tests, whose code runs under it in others, too
	$(GO) test -race -short -timeout 30m ./...

.PHONY: vet
vet:
	$(GO) vet ./...
	cd bench && $(GO) vet ./...
	cd internal/sim && $(GO) vet ./...
	cd prometheus && $(GO) vet ./...
	cd otel && $(GO) vet ./...
	cd chronoshttp && $(GO) vet ./...
	cd chronoshttp/browsertest && $(GO) vet ./...
	cd examples/telemetry && $(GO) vet ./...
	cd examples/kubernetes && $(GO) vet ./...
	cd tools && $(GO) vet ./licences ./proxy
	cd jobfile/yaml && $(GO) vet ./...
	cd gocronlock && $(GO) vet ./...
	cd moving && $(GO) vet ./...
	@unformatted=$$(gofmt -l .) && test -z "$$unformatted" || { echo "gofmt is needed for:"; echo "$$unformatted"; exit 1; }

.PHONY: lint
lint: $(BIN)/golangci-lint
	$(BIN)/golangci-lint run ./...
	cd internal/sim && $(BIN)/golangci-lint run ./...
	cd bench && $(BIN)/golangci-lint run ./...
	cd prometheus && $(BIN)/golangci-lint run ./...
	cd otel && $(BIN)/golangci-lint run ./...
	cd chronoshttp && $(BIN)/golangci-lint run ./...
	cd chronoshttp/browsertest && $(BIN)/golangci-lint run ./...
	cd examples/telemetry && $(BIN)/golangci-lint run ./...
	cd examples/kubernetes && $(BIN)/golangci-lint run ./...
	cd tools && $(BIN)/golangci-lint run ./licences ./proxy
	cd jobfile/yaml && $(BIN)/golangci-lint run ./...
	cd gocronlock && $(BIN)/golangci-lint run ./...
	cd moving && $(BIN)/golangci-lint run ./...

.PHONY: http browser screenshots
http: # the API and the dashboard's server, in a module of their own
	cd chronoshttp && $(GO) test -race ./...
browser: # the dashboard in headless Chromium
	cd chronoshttp/browsertest && $(GO) test -count=1 -timeout 10m -v .
screenshots: # of the dashboard, for the docs; look at them
	cd chronoshttp/browsertest && $(GO) test -count=1 -timeout 10m -run TestDashboard -images $(CURDIR)/docs/images .

.PHONY: moving
moving: # job files in YAML, gocron's locker, and the code of docs/moving.md
	cd jobfile/yaml && $(GO) test ./...
	cd gocronlock && $(GO) test ./...
	cd moving && $(GO) test ./...

.PHONY: cover
cover:
	$(GO) test -coverpkg=./... -coverprofile=coverage.out ./...
	$(GO) tool cover -func=coverage.out | tail -1

.PHONY: bench
bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-peers
bench-peers: # beside other schedulers, in one run: PEERS="-count 3 -postgres URL -redis ADDR"; see docs/performance.md
	cd bench && $(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) .
	cd bench && $(GO) run ./peers $(PEERS)

.PHONY: bench-peers-ci
bench-peers-ci: # does every case still work, and is one that loses starts refused?
	cd bench && $(GO) test ./...
	$(MAKE) bench-peers BENCHTIME=20ms PEERS=-short

## Campaigns: see docs/testing.md. The targets that end in -ci are the share of
## them that every CI run can afford.

.PHONY: fuzz fuzz-ci
fuzz:
	./.ci/fuzz $(FUZZTIME)
fuzz-ci:
	./.ci/fuzz 5s

.PHONY: crash crash-ci
crash:
	$(GO) test ./internal/faults -run 'TestKill' -count=1 -timeout 4h -v -cycles $(CYCLES)
crash-ci:
	$(GO) test ./internal/faults -run 'TestKill' -count=1 -timeout 20m -v -cycles 20

.PHONY: powercut powercut-ci
powercut:
	$(GO) test ./internal/faults -run 'TestPowerCut' -count=1 -timeout 4h -v -cuts $(CUTS)
powercut-ci:
	$(GO) test ./internal/faults -run 'TestPowerCut' -count=1 -timeout 20m -v -cuts 10

CLUSTER := $(GO) test ./internal/faults -count=1 -timeout 4h -v

.PHONY: cluster cluster-ci
cluster: # three processes, one of which is killed, stands still or is cut off all the time
	$(CLUSTER) -run 'TestCluster' -cluster-kills $(KILLS) -cluster-jobs $(JOBS) -cluster-freezes 20 -cluster-cuts $(SPLITS)
cluster-ci:
	$(CLUSTER) -run 'TestCluster' -cluster-kills 10 -cluster-freezes 2 -cluster-cuts 6 -cluster-history 20000
	$(CLUSTER) -run 'TestClusterLoad' -cluster-load 30s -cluster-rate 200

.PHONY: cluster-load cluster-leaders cluster-history
cluster-load: # many jobs each second, a kill every ten
	$(CLUSTER) -run 'TestClusterLoad' -cluster-load $(DURATION) -cluster-rate $(RATE)
cluster-leaders: # for how long the loss of a leader is felt
	$(CLUSTER) -run 'TestClusterLeaders' -cluster-leaders $(KILLS)
cluster-history: # a node joins a cluster with a long history
	$(CLUSTER) -run 'TestClusterHistory' -cluster-history $(HISTORY)

.PHONY: upgrade
upgrade: # three processes are restarted with this program, one by one, from an older one
	$(GO) test ./internal/upgrade -count=1 -timeout 20m -v -previous $(PREVIOUS)

# Simulated clusters: SEED is the first seed, SEEDS how many, COUNT how often each is
# run (a seed gives the same plan, not the same run), HOURS the length of each (0: its
# profile's), FOR for how long further seeds follow.
SEED  ?= $$(date +%s)
SEEDS ?= 10
COUNT ?= 1
HOURS ?= 0
FOR   ?= 0

.PHONY: sim sim-ci sim-mutants sim-mutants-ci
sim:
	cd internal/sim && $(GO) test . -run 'TestSim$$' -count=1 -timeout 24h -v -seed $(SEED) -seeds $(SEEDS) -repeat $(COUNT) -hours $(HOURS) -for $(FOR) $(SIMFLAGS)
sim-ci: # the checker's tests, and fresh seeds for two minutes
	cd internal/sim && $(GO) test . -skip 'TestSim$$|TestMutants' -count=1 -timeout 5m
	cd internal/sim && $(GO) test . -run 'TestSim$$' -count=1 -timeout 25m -v -seed $(SEED) -seeds 1 -for 2m -limit 15m -shorter
sim-mutants: # planted mistakes, each of which has to be seen
	cd internal/sim && $(GO) test . -run 'TestMutants' -count=1 -timeout 24h -v -mutants 20
sim-mutants-ci: # those that a short simulation catches, with the seeds that do
	cd internal/sim && $(GO) test . -run 'TestMutants' -count=1 -timeout 15m -v -mutants 3 -quick

.PHONY: bitrot
bitrot:
	$(GO) test ./internal/faults -run 'TestBitRot' -count=1 -timeout 4h -v -flips 1000

.PHONY: fulldisk
fulldisk:
	$(GO) test ./internal/faults -run 'TestFullDisk' -count=1 -timeout 4h -v -fills 20

.PHONY: oracle oracle-ci
oracle: # schedules against brute force, at every transition of every zone
	$(GO) test ./internal/schedule -run 'TestOracle' -count=1 -timeout 4h -v -oracle $(EXPRESSIONS) -seed $$(date +%s)
oracle-ci:
	$(MAKE) oracle EXPRESSIONS=6

.PHONY: soak
soak: # 1,000 jobs each second
	$(GO) test ./internal/faults -run 'TestSoak' -count=1 -timeout 4h -v -soak $(SOAK)

## Builds

.PHONY: examples
examples:
	$(GO) run ./examples/hello
	$(GO) run ./examples/webhook
	$(GO) run ./examples/cluster
	$(GO) run ./examples/payload
	$(GO) run ./examples/tls
	$(GO) run ./examples/locks
	$(GO) run ./examples/deploy
	$(GO) run ./examples/reconcile

.PHONY: examples-modules
examples-modules: # those in modules of their own
	cd examples/telemetry && $(GO) test ./...
	cd examples/kubernetes && $(GO) test ./...

## Releases: see docs/releasing.md

.PHONY: apidiff
apidiff: $(BIN)/apidiff # what has changed since the last tag, or since PREVIOUS
	APIDIFF=$(BIN)/apidiff ./.ci/apidiff $(PREVIOUS)

.PHONY: licences
licences: # of everything that the modules are built from
	cd tools && $(GO) test ./licences ./proxy
	./.ci/licences

.PHONY: host
host: # a program outside the repository: does it build, also after go get -u, and what does it weigh
	./.ci/host

.PHONY: cross
cross:
	CGO_ENABLED=0 GOOS=linux   GOARCH=amd64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=linux   GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=darwin  GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=darwin  GOARCH=arm64 $(GO) vet ./...
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GO) vet ./...

## Generated code is checked in. It needs protoc (protobuf-compiler); the plugins
## are pinned in tools/go.mod. Records are written and read in the state machine's one
## goroutine, and commands read: both have an encoding of their own for that.

PROTOS := store/record.proto raftfsm/command.proto
PLUGINS := $(BIN)/protoc-gen-go $(BIN)/protoc-gen-go-vtproto
PROTOC = $(foreach p,$(PLUGINS),--plugin=$(p)) -I . \
	--go_out=$(1) --go_opt=paths=source_relative --go-vtproto_out=$(1) --go-vtproto_opt=paths=source_relative

.PHONY: generate
generate: $(PLUGINS)
	protoc $(call PROTOC,.),features=marshal+unmarshal+size store/record.proto
	protoc $(call PROTOC,.),features=unmarshal raftfsm/command.proto

.PHONY: generate-check
generate-check: $(PLUGINS)
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	protoc $(call PROTOC,"$$dir"),features=marshal+unmarshal+size store/record.proto && \
	protoc $(call PROTOC,"$$dir"),features=unmarshal raftfsm/command.proto && \
	for f in $(PROTOS:.proto=.pb.go) $(PROTOS:.proto=_vtproto.pb.go); do \
		diff -u -I '^// .*protoc  *v' "$$f" "$$dir/$$f" || { echo "$$f is out of date: run make generate"; exit 1; }; \
	done && echo "generated code is up to date"

## Tools, in a module of their own

.PHONY: tools
tools: $(BIN)/golangci-lint $(PLUGINS) $(BIN)/apidiff

$(BIN)/golangci-lint: tools/go.mod tools/go.sum
	cd tools && $(GO) build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(BIN)/protoc-gen-go: tools/go.mod tools/go.sum
	cd tools && $(GO) build -o $@ google.golang.org/protobuf/cmd/protoc-gen-go

$(BIN)/protoc-gen-go-vtproto: tools/go.mod tools/go.sum
	cd tools && $(GO) build -o $@ github.com/planetscale/vtprotobuf/cmd/protoc-gen-go-vtproto

$(BIN)/apidiff: tools/go.mod tools/go.sum
	cd tools && $(GO) build -o $@ golang.org/x/exp/cmd/apidiff

.PHONY: ci
ci:
	./.ci/run

.PHONY: clean
clean:
	rm -rf $(BIN) coverage.out
