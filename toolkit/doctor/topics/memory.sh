# shellcheck shell=sh
at memory; grep '^MemTotal:' /proc/meminfo
at shm; df -Pk /dev/shm
