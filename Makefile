# svcbench: an index of what a developer or a user does with this repository.
# Every recipe is short on purpose; what it runs can be run by hand.

# sudo shortens PATH by the folders of Go and, for some users, of administrators.
export PATH := $(PATH):/usr/local/go/bin:/usr/local/sbin:/usr/sbin:/sbin

# Nothing below needs a version control system, but a build names its commit
# where there is one.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

SVCBENCH := bin/svcbench
# The folder of runs.
OUT := runs
# More arguments for "make bench", such as BENCH="--blocks 1".
BENCH :=

.DEFAULT_GOAL := help
.PHONY: help setup setup-test setup-vm setup-kind build components test lint verify generate bench bench-all report clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install missing system packages (root), or print the command that does
	@hack/setup.sh

setup-vm: ## install also what virtual machines need (svcbench run --vm)
	@hack/setup.sh vm

setup-kind: ## install also what assembles the images of kind's nodes (svcbench run --cluster kind)
	@hack/setup.sh kind

setup-test:
	@hack/setup.sh test

build: ## build bin/svcbench
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '$(LDFLAGS)' -o $(SVCBENCH) ./cmd/svcbench

components: build ## build etcd, Kubernetes and Cilium for local clusters, once
	$(SVCBENCH) components build

test: setup-test components ## all tests, with the race detector; needs root for those with clusters
	CGO_ENABLED=1 go test -race -timeout 30m $$(go list ./... | grep -v /runners$$)
	@# Alone: it watches whole clusters by the millisecond, all in its own process.
	CGO_ENABLED=1 go test -race -timeout 30m ./runners

lint: ## gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l cmd clusters internal reports runners scenarios); \
		test -z "$$unformatted" || { echo "gofmt would change: $$unformatted" >&2; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

generate: ## write the generated files again (needs clang for the BPF objects)
	go generate ./...

verify: lint ## generated files are fresh, go.mod is tidy, imports point down
	hack/verify.sh

bench: setup build ## the quick suite: some minutes, ends with the path of a report
	$(SVCBENCH) run quick --out $(OUT) $(BENCH)

bench-all: setup setup-vm setup-kind build ## every scenario in every mode, those the kernel lacks in a VM, and kind if containers run: hours
	$(SVCBENCH) run --all --out $(OUT) $(BENCH)
	@! $(SVCBENCH) list modes | grep -q ' in a VM here ' || \
		$(SVCBENCH) run quick --vm kernel=debian-6.1,clock=instructions --out $(OUT) $(BENCH)
	@! { docker info || podman info; } >/dev/null 2>&1 || $(SVCBENCH) run quick --cluster kind --out $(OUT) $(BENCH)

report: build ## draw the report of the newest run again
	$(SVCBENCH) report latest --out $(OUT)

clean: ## remove built files and what killed runs have left behind; runs stay
	@test ! -x $(SVCBENCH) || test "$$(id -u)" -ne 0 || $(SVCBENCH) clean
	rm -rf bin
