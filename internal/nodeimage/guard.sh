#!/bin/bash
# Runs in front of kind's entrypoint and keeps this node's systemd and kubelet
# from changing settings that belong to the machine and not to a container. The
# kubelet writes a setting only when its value is another, so it is shown the
# values that it wants; /proc/sys/fs can only be read.
set -e
mkdir -p /run/svcbench-guard
show() {
	[ -e "/proc/sys/$1" ] || return 0
	echo "$2" >"/run/svcbench-guard/${1//\//_}"
	mount --bind "/run/svcbench-guard/${1//\//_}" "/proc/sys/$1"
}
show vm/overcommit_memory 1
show kernel/panic 10
show kernel/panic_on_oops 1
show kernel/keys/root_maxkeys 1000000
show kernel/keys/root_maxbytes 25000000
mount --bind /proc/sys/fs /proc/sys/fs
mount -o remount,bind,ro /proc/sys/fs
exec "$@"
