# shellcheck shell=sh
# Sends a signal to the commands with these process ids: to all that each has started, or else to itself.
signal=$1; shift;
for one; do kill -s "$signal" -- "-$one" || kill -s "$signal" "$one"; done 2>/dev/null
