# shellcheck shell=sh
# Connects to every ADDRESS PORT: by bash, whose program comes as first argument, or else by nc.
bash=$1; shift
LC_ALL=C; export LC_ALL
exec 2>/dev/null </dev/null
if command -v bash >/dev/null; then exec bash -c "$bash" bash "$@"; fi
if ! command -v nc >/dev/null; then echo 'no tool'; exit; fi
seconds=$2; shift 2
# Only some know -z (connect, say nothing, hang up), and those need -v to tell why not; sshd hangs up itself.
flags='-z -v'
case $(nc -z -v -w 1 127.0.0.1 1 2>&1) in *sage:*|*ption*) flags= ;; esac
probe() {
  # shellcheck disable=SC2086 # flags are words
  if said=$(nc $flags -w "$seconds" "$1" "$2" 2>&1); then said=open; fi
  said=$(printf '%s\n' "$said" | tail -n 1); said=${said##*: }
  printf '%s %s %s\n' "$1" "$2" "${said:-no answer}"
}
while [ $# -gt 1 ]; do probe "$1" "$2" & shift 2; done
wait
