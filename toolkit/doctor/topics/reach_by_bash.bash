# shellcheck shell=bash
# bash connects without any program of its own. `quick` is one process that tries one after the other, for all that
# answer at once; `each` tries all at the same time, for the few that do not. `set -m` puts what runs into a group of
# its own, that can be ended as a whole.
set -m
how=$1 seconds=$2; shift 2
try() { exec 2>&1; exec 3<>"/dev/tcp/$1/$2" && { echo "$1 $2 open"; exec 3>&-; }; }
quick() { while [ $# -gt 1 ]; do try "$1" "$2"; shift 2; done; }
tell() { said=$(try "$1" "$2" | tail -n 1) && printf '%s\n' "$said"; }
if [ "$how" = quick ]; then quick "$@" & else while [ $# -gt 1 ]; do tell "$1" "$2" & shift 2; done; fi
for ((i = 0; i < seconds * 20; i++)); do [ -z "$(jobs -rp)" ] && exit; sleep 0.05; done
for pid in $(jobs -rp); do kill -KILL -- "-$pid"; done
