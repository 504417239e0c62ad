# shellcheck shell=bash disable=SC2086 # a status is a number
# Stands between two commands: where the first failed, the second is not run.
stop_if_failed() { set -- $?; [ $1 = 0 ] || exit $1; }
