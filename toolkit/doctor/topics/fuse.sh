# shellcheck shell=sh
at fuse
if [ -c /dev/fuse ]; then (exec 3<>/dev/fuse) 2>&1 && echo opens; else echo missing; fi
