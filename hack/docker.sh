#!/bin/sh
# A Docker daemon of svcbench's own, for machines whose daemon does not run or
# cannot start privileged containers because the machine does not grant every
# capability. It has a network namespace, a folder and a cgroup to itself; the
# machine's daemon and its rules stay as they are.
#
#   hack/docker.sh start        starts it
#   hack/docker.sh run CMD...   runs a command that reaches it and its containers
#   hack/docker.sh stop         ends it and removes everything it made
set -eu

svcbench=$(cd "$(dirname "$0")/.." && pwd)/bin/svcbench
dir=${XDG_CACHE_HOME:-$HOME/.cache}/svcbench/docker
space=svcbench-docker
socket=$dir/socket

# nsenter and not "ip netns exec", which would hide the machine's cgroups.
inside() { nsenter --net="/run/netns/$space" env DOCKER_HOST="unix://$socket" "$@"; }

answers() { [ -S "$socket" ] && inside docker info >/dev/null 2>&1; }

case "${1:-}" in
start)
	answers && exit 0
	mkdir -p "$dir"
	printf '{"runtimes": {"svcbench": {"path": "%s", "runtimeArgs": ["oci-runtime"]}}, "default-runtime": "svcbench"}\n' "$svcbench" >"$dir/daemon.json"
	ip netns add "$space" 2>/dev/null || true
	inside sh -c 'ip link set lo up && sysctl --quiet --write net.ipv4.ip_forward=1'
	inside setsid dockerd --config-file="$dir/daemon.json" --data-root="$dir/data" --exec-root="$dir/exec" --pidfile="$dir/pid" \
		--host="unix://$socket" --cgroup-parent="/$space" --bip=172.30.0.1/24 >"$dir/log" 2>&1 &
	tries=0
	until answers; do
		tries=$((tries + 1))
		if [ "$tries" -gt 60 ]; then
			tail -n 5 "$dir/log" >&2
			echo "docker.sh: the daemon does not answer; its log is $dir/log" >&2
			exit 1
		fi
		sleep 0.5
	done
	;;
run)
	shift
	answers || { echo 'docker.sh: the daemon does not run: hack/docker.sh start' >&2; exit 5; }
	inside "$@"
	;;
stop)
	pid=$(cat "$dir/pid" 2>/dev/null || true)
	if [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q -- "--data-root=$dir/data"; then
		kill "$pid"
		while [ -d "/proc/$pid" ]; do sleep 0.2; done
	fi
	ip netns del "$space" 2>/dev/null || true
	awk -v dir="$dir/" 'index($2, dir) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount
	rm -rf --one-file-system "$dir"
	for group in /sys/fs/cgroup/"$space" /sys/fs/cgroup/*/"$space"; do
		[ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} +
	done
	exit 0
	;;
*)
	sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
