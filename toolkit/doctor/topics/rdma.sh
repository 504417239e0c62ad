# shellcheck shell=sh
at memlock
# shellcheck disable=SC3045 # dash, busybox and bash have it; where it is missing, the limit is not known
ulimit -H -l
at rdma
for one in /dev/infiniband/* /sys/class/infiniband/*; do [ -e "$one" ] && echo "$one"; done
