#!/bin/sh
# A Docker daemon of svcbench's own, for machines whose daemon does not run or
# cannot start privileged containers because the machine does not grant every
# capability. It has a network namespace, a folder and a cgroup to itself; the
# machine's daemon and its rules stay as they are.
#
#   hack/docker.sh start        starts it
#   hack/docker.sh run CMD...   runs a command that reaches it and its containers
#   hack/docker.sh stop         ends it, removes everything it made, and says if a
#                               setting of the machine (sysctl) has changed since
set -eu

svcbench=$(cd "$(dirname "$0")/.." && pwd)/bin/svcbench
dir=${XDG_CACHE_HOME:-$HOME/.cache}/svcbench/docker
space=svcbench-docker
socket=$dir/socket

# nsenter and not "ip netns exec", which would hide the machine's cgroups.
inside() { nsenter --net="/run/netns/$space" env DOCKER_HOST="unix://$socket" "$@"; }

answers() { [ -S "$socket" ] && inside docker info >/dev/null 2>&1; }

# ended waits until a process is gone, and kills it after a minute.
ended() {
	tries=0
	while [ -d "/proc/$1" ]; do
		tries=$((tries + 1))
		[ "$tries" -ne 300 ] || kill -9 "$1" 2>/dev/null || :
		sleep 0.2
	done
}

# ours says whether a process is one of the daemon: a number may be another's by now.
ours() { tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -q -- "$dir/"; }

# settings are those of the whole machine, which no container may change, without
# what only counts something or the kernel changes by itself.
settings() {
	sysctl --all --ignore 2>/dev/null | grep -E '^(fs|kernel|vm)\.' |
		grep -vE '^(fs\.(aio-nr|dentry-state|file-nr|inode-nr|inode-state)|kernel\.(ns_last_pid|perf_|pty\.nr|random\.|tainted)|fs\.quota\.)'
}

stop() {
	changed=
	[ ! -f "$dir/settings" ] || changed=$(settings | diff "$dir/settings" - || :)
	for file in "$dir/pid" "$dir/exec/containerd/containerd.pid"; do
		pid=$(cat "$file" 2>/dev/null || :)
		if [ -n "$pid" ] && ours "$pid"; then
			kill "$pid" 2>/dev/null || :
			ended "$pid"
		fi
	done
	ip netns del "$space" 2>/dev/null || :
	awk -v dir="$dir/" 'index($2, dir) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount
	rm -rf --one-file-system "$dir"
	for group in /sys/fs/cgroup/"$space" /sys/fs/cgroup/*/"$space"; do
		[ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} +
	done
}

case "${1:-}" in
start)
	answers && exit 0
	command -v dockerd >/dev/null || { echo 'docker.sh: there is no dockerd here: apt-get install docker.io' >&2; exit 5; }
	mkdir -p "$dir"
	settings >"$dir/settings"
	printf '{"runtimes": {"svcbench": {"path": "%s", "runtimeArgs": ["oci-runtime"]}}, "default-runtime": "svcbench"}\n' "$svcbench" >"$dir/daemon.json"
	ip netns add "$space" 2>/dev/null || :
	inside sh -c 'ip link set lo up && sysctl --quiet --write net.ipv4.ip_forward=1'
	# Not by a function, whose shell would stay and keep this one's output open.
	nsenter --net="/run/netns/$space" setsid dockerd --config-file="$dir/daemon.json" --data-root="$dir/data" --exec-root="$dir/exec" --pidfile="$dir/pid" \
		--host="unix://$socket" --cgroup-parent="/$space" --bip=172.30.0.1/24 >"$dir/log" 2>&1 &
	tries=0
	until answers; do
		tries=$((tries + 1))
		if [ "$tries" -gt 60 ]; then
			tail -n 5 "$dir/log" >&2
			echo 'docker.sh: the daemon does not answer; that is the end of its log' >&2
			stop
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
	stop
	[ -z "$changed" ] || { printf 'docker.sh: settings of the machine are not as they were at the start:\n%s\n' "$changed" >&2; exit 1; }
	;;
*)
	sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
