#!/usr/bin/env bash
# Checks what no compiler does: that generated files are fresh, that go.mod is
# tidy and that imports point down only. "make verify" formats and vets first.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0
# check TITLE COMMAND... runs a command and goes on after a failure.
check() {
	local title=$1 out
	shift
	if out=$("$@" 2>&1); then
		echo "✓ $title"
	else
		echo "✗ $title"
		printf '%s\n' "$out"
		status=1
	fi
}

schema() { go run ./cmd/svcbench schema | diff -u scenarios/schema.json -; }
pins() {
	local m
	for m in cilium etcd kubernetes; do
		diff -u "components/$m/go.mod" "internal/components/pins/$m.mod" &&
			diff -u "components/$m/go.sum" "internal/components/pins/$m.sum" || return
	done
}
bpf() { go test -run '^TestGenerated$' ./internal/agent/path; }
floors() { go test -run '^TestImportsPointDown$' ./cmd/svcbench; }
small() { go test -run '^TestNoHeavyDependencies$' ./cmd/svcbench; }
docs() { go test -run '^TestDocs' ./cmd/svcbench; }

check 'go.mod is tidy' go mod tidy -diff
check 'scenarios/schema.json is generated from the types (svcbench schema)' schema
check 'pins of components are copies of components/*/go.mod (go generate)' pins
check 'BPF objects are generated from their source (where clang is installed)' bpf
check 'docs show every command, flag and field' docs
check 'imports point down' floors
check 'Kubernetes itself is not a dependency' small
exit "$status"
