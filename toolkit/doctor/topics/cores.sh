# shellcheck shell=sh
grep Cpus_allowed_list /proc/self/status
grep -H . /sys/devices/system/cpu/online
grep -H . /sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list
grep -H . /sys/devices/system/node/node[0-9]*/cpulist
