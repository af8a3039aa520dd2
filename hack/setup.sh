#!/bin/sh
# Installs the packages svcbench needs at run time: the programs through which
# kube-proxy programs the kernel, and the compiler that Cilium runs; with the
# argument "test" also the C compiler that the race detector needs; with the
# argument "vm" what virtual machines need (svcbench run --vm), with "kind" what
# assembles the images of kind's nodes. Says nothing when none is missing. Without root, or without apt-get, it prints what to do
# and fails.
set -eu

# sudo and login shells of users leave these out of PATH.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin"

# Debian package, then the programs that are needed of it.
needs='
nftables nft
iptables iptables iptables-save iptables-restore ip6tables
ipset ipset
ipvsadm ipvsadm
iproute2 ip
util-linux unshare mount
clang-19 clang-19
'
if [ "${1:-}" = vm ] || [ "${1:-}" = test ]; then
	# depmod indexes the modules of a kernel that is only unpacked.
	needs="$needs
qemu-system-x86 qemu-system-x86_64
kmod depmod modprobe
xz-utils xz
zstd zstd
"
fi

if [ "${1:-}" = kind ]; then
	needs="$needs
mmdebstrap mmdebstrap
catatonit catatonit
"
fi

missing_programs=''
missing_packages=''
while read -r package programs; do
	for program in $programs; do
		command -v "$program" >/dev/null 2>&1 && continue
		missing_programs="$missing_programs $program"
		case " $missing_packages " in
		*" $package "*) ;;
		*) missing_packages="$missing_packages $package" ;;
		esac
	done
done <<END
$needs
END

if [ "${1:-}" = test ] && ! echo '#include <stdlib.h>' | cc -E -x c - >/dev/null 2>&1; then
	missing_programs="$missing_programs cc"
	missing_packages="$missing_packages gcc libc6-dev"
fi

status=0
if ! command -v go >/dev/null 2>&1; then
	echo 'setup: Go is missing: install Go 1.26 or newer from https://go.dev/dl' >&2
	status=1
fi
[ -n "$missing_packages" ] || exit "$status"

install="apt-get install --yes --no-install-recommends$missing_packages"
if ! command -v apt-get >/dev/null 2>&1; then
	echo "setup: install the packages that have these programs:$missing_programs" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "setup: missing:$missing_programs; run:" >&2
	echo "  sudo sh -c 'apt-get update && $install'" >&2
	exit 1
fi

export DEBIAN_FRONTEND=noninteractive
echo "setup: installing$missing_packages" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The lists of packages are fetched only when those at hand do not do.
# shellcheck disable=SC2086 # $install is a command of plain words
if ! $install >"$log" 2>&1 && ! { apt-get update && $install; } >"$log" 2>&1; then
	cat "$log" >&2
	echo "setup: apt-get failed; try: apt-get update && $install" >&2
	exit 1
fi
for program in $missing_programs; do
	if ! command -v "$program" >/dev/null 2>&1; then
		echo "setup: $program is still missing after: $install" >&2
		status=1
	fi
done
exit "$status"
