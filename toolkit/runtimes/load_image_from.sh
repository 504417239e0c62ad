# shellcheck shell=sh
# Loads into the engine $1 the image that a command prints in its container $2.
engine=$1 container=$2
shift 2
"$engine" exec "$container" "$@" | "$engine" load --quiet
