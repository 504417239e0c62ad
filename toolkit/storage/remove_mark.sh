# shellcheck shell=sh
# Removes the file $1, and the folder that it lies in where nothing else does.
rm -f "$1"
rmdir "${1%/*}"
