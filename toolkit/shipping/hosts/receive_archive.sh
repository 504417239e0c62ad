# shellcheck shell=sh
# Takes its standard input as the file $1: a disk has room for an archive once, not twice.
cat >"$1"
