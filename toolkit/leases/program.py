"""The program that keeps leases on a host: a constant for `sh -c`, and the argv that calls it. Pure.

It needs a POSIX sh and coreutils, and no lock that someone who is killed could leave behind:

- A lease is a file of its own, `lease.TOKEN`. It is written under another name and renamed, so it is seen with its
  whole record or not at all; and as no two leases share a name, removing one can never remove another's.
- Taking is "show first, then look": the lease is put there without the x bit (asked), and only who then sees no one
  else asking for or holding the same sets its own x bit (held). Of two, the one that came second sees the first,
  so both cannot get it. Of several that ask at once, the one whose name sorts first waits until the others have drawn
  back; so one gets it.
- A lease is stale when the engine runs no container of its run and it was neither taken nor renewed within the
  grace time; one that is only asked, after 10 s. All ages are by the host's clock. Who removes a stale one first says
  so (`dead.TOKEN.OWN`) and looks again; who takes or renews one first does so and then looks for such a sign. So a
  lease that is removed is never believed to be held.
- Whoever took one leaves a guard behind until the run has a container: an operator who is cut off or killed before
  that leaves nothing, also where no one comes after him.
"""

from __future__ import annotations

from toolkit.leases.model import Lease

TAKEN = 10
"""Exit status: others hold what was asked, or the lease to renew is gone."""
BUSY = 11
"""Exit status: others were asking until the patience ran out."""
UNUSABLE = 74
"""Exit status: the folder cannot be used; the reason is on the standard error."""

PROGRAM = r"""
set -u
umask 077
LC_ALL=C; export LC_ALL
act=$1 folder=$2 engine=$3 grace=$4 token=$5 gpus=$6
shift 6
own=$folder/lease.$token

nap() { sleep 0.05 2>/dev/null || sleep 1; }

die() { printf '%s\n' "$1" >&2; exit 74; }

field() { # NAME FILE
  while IFS= read -r line; do
    case $line in "$1="*) printf '%s\n' "${line#*=}"; return;; esac
  done 2>/dev/null < "$2"
}

seconds_old() { # FILE; fails where it is gone
  at=$(stat -c %Y -- "$1" 2>/dev/null) || return 1
  printf '%s\n' $(( $(date +%s) - at ))
}

stale() { # FILE
  old=$(seconds_old "$1") || return 0
  if [ ! -x "$1" ]; then [ "$old" -ge 10 ]; return; fi
  [ "$old" -ge "$grace" ] || return 1
  run=$(field run "$1")
  [ -n "$run" ] || return 0
  running=$("$engine" ps --quiet --filter "label=toolkit.run=$run" 2>/dev/null) || return 1
  [ -z "$running" ]
}

bury() { # FILE; succeeds where the lease is gone
  stale "$1" || return 1
  sign=$folder/dead.${1##*/lease.}.$token
  printf '' 2>/dev/null > "$sign" || return 1  # in this order: the folder may just have gone with its last lease
  if stale "$1"; then rm -f -- "$1"; gone=0; else gone=1; fi
  rm -f -- "$sign"
  return $gone
}

doubted() { # whether someone is about to remove our lease, or has
  for sign in "$folder/dead.$token".*; do
    old=$(seconds_old "$sign") && [ "$old" -lt 10 ] && return 0
  done
  [ ! -e "$own" ]
}

overlap() { # "GPUS" "GPUS"
  case $1,$2 in '*',*|*,'*') return 0;; esac
  for one in $1; do
    case " $2 " in *" $one "*) return 0;; esac
  done
  return 1
}

show() { # FILE
  old=$(seconds_old "$1") || return 0
  if [ ! -x "$1" ]; then state=asked; elif stale "$1"; then state=stale; else state=held; fi
  text=$(cat -- "$1" 2>/dev/null) || return 0
  printf 'lease %s %s %s\n%s\n\n' "${1##*/lease.}" "$old" "$state" "$text"
}

publish() { # RECORD...; tried again, as who releases the last lease removes the folder
  left=20
  until said=$( (mkdir -p -- "$folder" &&
      printf '%s\n' "$@" "since=$(date -u +%Y-%m-%dT%H:%M:%SZ)" > "$folder/new.$token" &&
      mv -- "$folder/new.$token" "$own") 2>&1); do
    left=$((left - 1))
    [ $left -gt 0 ] || die "$said"
    nap
  done
}

withdraw() { rm -f -- "$own" "$folder/new.$token"; }

others() { # whether the folder is there and not ours
  [ -L "$folder" ] || { [ -e "$folder" ] && [ ! -O "$folder" ]; }
}

tidy() {
  others || rmdir -- "$folder" "${folder%/*}" 2>/dev/null
  return 0
}

look() { # sets verdict: free, held, yield (to one that sorts first) or wait (for one that sorts later)
  verdict=free seen=no
  for other in "$folder"/lease.*; do
    if [ "$other" = "$own" ]; then seen=yes; continue; fi
    [ -e "$other" ] || continue
    their=$(field gpus "$other")
    overlap "$gpus" "${their:-*}" || continue
    if bury "$other"; then continue; fi
    if [ -x "$other" ]; then verdict=held; return; fi
    if [ $seen = no ]; then verdict=yield; elif [ $verdict = free ]; then verdict=wait; fi
  done
}

sweep() { # what killed ones have left
  for rest in "$folder"/new.* "$folder"/dead.*; do
    old=$(seconds_old "$rest") && [ "$old" -ge 60 ] && rm -f -- "$rest"
  done
}

in_the_way() {
  for other in "$folder"/lease.*; do
    [ -x "$other" ] && overlap "$gpus" "$(field gpus "$other")" && show "$other"
  done
}

guard() { # until the run has a container here, which gives the lease back, or the lease is gone or stale
  trap '' HUP
  while sleep 5; do
    [ -x "$own" ] || return
    running=$("$engine" ps --quiet --filter "label=toolkit.run=$(field run "$own")") || continue
    [ -z "$running" ] || return
    if bury "$own"; then tidy; return; fi
  done
}

acquire() {
  mkdir -p -- "$folder" 2>/dev/null
  if others; then die "$folder belongs to someone else"; fi
  trap 'withdraw; tidy; exit 143' HUP INT TERM
  patience=200
  while [ $patience -gt 0 ]; do
    patience=$((patience - 1))
    look
    if [ $verdict = free ] && [ ! -e "$own" ]; then publish "$@"; look; fi
    case $verdict in
      held) withdraw; in_the_way; tidy; exit 10;;
      free)
        if chmod 700 "$own" 2>/dev/null && ! doubted; then
          sweep
          (exec </dev/null >/dev/null 2>&1; guard) & # exec: dash would keep what is redirected for a while open
          exit 0
        fi
        withdraw;;
      yield) withdraw; nap;;
      wait) nap;;
    esac
  done
  withdraw; tidy; exit 11
}

renew() {
  left=100
  while touch -c -- "$own" 2>/dev/null; doubted; do
    [ -e "$own" ] || exit 10
    left=$((left - 1))
    [ $left -gt 0 ] || exit 10
    nap
  done
  [ -x "$own" ] || exit 10
}

case $act in
  acquire) acquire "$@";;
  renew) renew;;
  release) withdraw; tidy;;
  list)
    if others; then die "$folder belongs to someone else"; fi
    for other in "$folder"/lease.*; do show "$other"; done;;
esac
exit 0
"""


def acquire_argv(folder: str, lease: Lease, *, engine: str, grace: int) -> list[str]:
    """Take what `lease` wants; exit status 0, `TAKEN` (who is in the way is printed), `BUSY` or `UNUSABLE`."""
    return [*_call("acquire", folder, engine, grace), lease.token, lease.wanted, *lease.record]


def renew_argv(folder: str, lease: Lease) -> list[str]:
    """Make the lease young again; exit status 0, or `TAKEN` where it is no longer there."""
    return [*_call("renew", folder), lease.token, ""]


def release_argv(folder: str, lease: Lease) -> list[str]:
    """Remove the lease, and the folder where it was the last; it is no error if it is gone."""
    return [*_call("release", folder), lease.token, ""]


def list_argv(folder: str, *, engine: str, grace: int) -> list[str]:
    """Print every lease."""
    return [*_call("list", folder, engine, grace), "", ""]


def _call(act: str, folder: str, engine: str = "docker", grace: int = 0) -> list[str]:
    return ["sh", "-c", PROGRAM, "leases", act, folder, engine, str(grace)]
