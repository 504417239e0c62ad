# shellcheck shell=sh
at ports; grep -h ' 0A ' /proc/net/tcp /proc/net/tcp6
