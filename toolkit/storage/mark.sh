# shellcheck shell=sh
# Makes the file $1, and the folder that it lies in.
mkdir -p "${1%/*}" && : > "$1"
