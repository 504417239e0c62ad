# shellcheck shell=sh
# Waits until the file $1 has something in it, and becomes the command behind it.
until [ -s "$1" ]; do sleep 0.05; done
shift
exec "$@"
