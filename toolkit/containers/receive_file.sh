# shellcheck shell=sh
# Takes its standard input as the file $2 in the folder $1: whole or not at all, and for its owner alone.
umask 077; cat >"$1/new" && mv "$1/new" "$2"
