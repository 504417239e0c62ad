# shellcheck shell=sh disable=SC2086 # a record is split into its words on purpose; `set -f` keeps them as they are
# Keeps leases in the host's engine. What it does, and why it holds, is in host_script.py.
set -uf
LC_ALL=C; export LC_ALL
act=$1 engine=$2 grace=$3 token=$4 run=$5 gpus=$6 user=$7 operator=$8
asked=000000 these=''

nap() { sleep 0.05 2>/dev/null || sleep 1; }

die() { printf '%s\n' "$1" >&2; exit 74; }

volumes() { # prints each volume's record, its name, and the word `volume`; json: a label is one line, whatever it holds
  listed=$("$engine" volume ls --filter label=toolkit.lease \
    --format '{{json (.Label "toolkit.lease")}} {{.Name}} volume' 2>&1 </dev/null) || { echo "$listed"; return 1; }
  printf '%s\n' "$listed" | tr -d '"'
}

containers() {
  listed=$("$engine" ps --filter label=toolkit.lease \
    --format '{{json (.Label "toolkit.lease")}} - container' 2>&1 </dev/null) || { echo "$listed"; return 1; }
  printf '%s\n' "$listed" | tr -d '"'
}

is_record() { # WORD...: TOKEN GENERATION AT SINCE RUN GPUS ACCOUNT USER OPERATOR, and where it was
  [ $# -eq 11 ] || return 1
  case $1 in *[!0-9a-f]*) return 1;; ????????????????) ;; *) return 1;; esac
  case $2,${10},${11} in held,-,container) ;; ??????,"toolkit-lease.$1.$2",volume) ;; *) return 1;; esac
  case $2 in held) ;; *[!0-9]*) return 1;; esac
  case $3 in *[!0-9]*|0?*|?????????????*) return 1;; esac
}

seconds_old() { # AT; a clock that was set back makes nothing young for ever
  old=$(( $(date +%s) - $1 ))
  [ $old -ge 0 ] || old=$(( - old ))
}

stale() { # GENERATION AT
  seconds_old "$2"
  case $1 in held) return 1;; "$asked") [ $old -ge 10 ];; *) [ $old -ge "$grace" ];; esac
}

look() { # sets all: the records here, the newest of each token; and volumes of those of the volumes alone
  # Volumes before containers: a run has its container before its volume goes.
  those=$(volumes) || return 1
  these=$(containers) || return 1
  all=$(printf '%s\n%s\n' "$those" "$these" | sort | newest)
}

newest() { # the last valid one of each token
  last='' kept=''
  while read -r line; do
    case $line in *[!A-Za-z0-9\ ._:,*%@~+-]*) continue;; esac
    is_record $line || continue
    [ "${line%% *}" = "$last" ] || [ -z "$kept" ] || printf '%s\n' "$kept"
    last=${line%% *} kept=$line
  done
  [ -z "$kept" ] || printf '%s\n' "$kept"
}

of_token() { # TOKEN LINES: the records of a token, the oldest generation first
  printf '%s\n' "$2" | while read -r line; do
    case $line in "$1 "*) is_record $line && printf '%s\n' "$line";; esac
  done | sort
}

make() { # GENERATION
  label="$token $1 $(date +%s) $since $run $gpus $account $user $operator"
  said=$("$engine" volume create --label "toolkit.lease=$label" "toolkit-lease.$token.$1" 2>&1 </dev/null)
}

remove() { # TOKEN RECORD...: the oldest generation first
  printf '%s\n' "$2" | while read -r _ generation _; do
    [ -z "$generation" ] || "$engine" volume rm "toolkit-lease.$1.$generation" >/dev/null 2>&1 </dev/null
  done
}

withdraw() { mine=$(of_token "$token" "$(volumes)") && remove "$token" "$mine"; }

step() { # FROM TO: to the next generation; fails where the one before is gone, or this took too long
  make "$2" || die "$said"
  those=$(volumes) || die "$those"
  before=no fresh=no
  while read -r word generation at _; do
    [ "$word" = "$token" ] || continue
    [ "$generation" != "$1" ] || before=yes
    if [ "$generation" = "$2" ]; then seconds_old "$at"; [ $(( 2 * old )) -gt "$grace" ] || fresh=yes; fi
  done <<END
$those
END
  [ $before$fresh = yesyes ]
}

bury() { # TOKEN GENERATION AT...: succeeds where the lease is gone, and is 2 where its holder renews it at this moment
  stale "$2" "$3" || return 1
  remove "$1" "$(of_token "$1" "$those")"
  rest=$(volumes) || return 1
  more=$(containers) || return 1
  [ -z "$(of_token "$1" "$rest
$more")" ] || return 2
}

overlap() { # GPUS GPUS
  case $1,$2 in '*',*|*,'*') return 0;; esac
  for gpu in $(printf '%s' "$1" | tr , ' '); do
    case ",$2," in *",$gpu,"*) return 0;; esac
  done
  return 1
}

judge() { # sets verdict: free, held, yield (to one that sorts first) or wait (for one that sorts later)
  verdict=free seen=no
  while read -r one generation at when whose theirs rest; do
    if [ "$one" = "$token" ]; then seen=yes; continue; fi
    # shellcheck disable=SC2015 # either says that it is not in the way
    [ -n "$one" ] && overlap "$gpus" "$theirs" || continue
    bury "$one" "$generation" "$at" && continue
    if [ $? -eq 2 ]; then # it is kept or lost in a moment
      sleep 1
      if [ $verdict = free ]; then verdict='wait'; fi
      continue
    fi
    if [ "$generation" != "$asked" ]; then verdict=held; return; fi
    if [ $seen = no ]; then verdict=yield; elif [ $verdict = free ]; then verdict='wait'; fi
  done <<END
$all
END
}

show() { # the records that are in the way, or all
  while read -r one generation at when whose theirs rest; do
    [ -n "$one" ] || continue
    seconds_old "$at"
    state=held
    if [ "$generation" = "$asked" ]; then state=asked; fi
    if stale "$generation" "$at"; then state=stale; fi
    if [ "$act" = list ] || { [ $state = held ] && overlap "$gpus" "$theirs"; }; then
      printf '%s %s %s\n' "$state" "$old" "$one $generation $at $when $whose $theirs $rest"
    fi
  done <<END
$all
END
}

sweep() { # what killed ones have left
  while read -r one generation at rest; do
    [ -z "$one" ] || [ "$one" = "$token" ] || bury "$one" "$generation" "$at"
  done <<END
$all
END
}

late() { [ "$(date +%s)" -ge "$until" ]; }

guard() { # takes the volumes away once no one renews them: their run then has containers here, or never will
  trap '' HUP
  misses=0 until=$(( $(date +%s) + 60 ))
  while sleep 5; do
    if ! those=$(volumes); then # an engine that stays away, or is no more: who comes next takes the stale one away
      misses=$((misses + 1))
      if [ $misses -lt 24 ] && command -v "$engine" >/dev/null; then continue; else return; fi
    fi
    misses=0
    mine=$(of_token "$token" "$those" | tail -n 1)
    if [ -z "$mine" ]; then # withdrawn; it may be announced again while the one that wants it ($$) is there
      if kill -0 $$ 2>/dev/null && ! late; then continue; else return; fi
    fi
    set -- $mine
    if stale "$2" "$3"; then remove "$token" "$(of_token "$token" "$those")"; return; fi
  done
}

alone() { # a second look, at what `step` has seen: the engine's list is made while others renew theirs
  all=$(printf '%s\n' "$those" | sort | newest)
  judge
  [ $verdict != held ]
}

acquire() {
  since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
  account=$(id -un 2>/dev/null | tr -c 'A-Za-z0-9._@\n-' _)
  [ -n "$account" ] || account=$(id -u)
  trap 'withdraw; exit 143' HUP INT TERM
  (exec </dev/null >/dev/null 2>&1; guard) & # exec: dash would keep what is redirected for a while open
  shown=no until=$(( $(date +%s) + 45 ))
  while ! late; do
    if [ $shown = no ]; then make "$asked" || die "$said"; shown=yes; fi
    look || { withdraw; die "$those $these"; }
    judge
    case $verdict in
      held) withdraw; show; exit 10;;
      free)
        if step "$asked" 000001 && alone; then
          printf '%s\n' "held 0 $label toolkit-lease.$token.000001 volume"
          (exec </dev/null >/dev/null 2>&1; trap '' HUP; remove "$token" "$token $asked"; sweep) &
          exit 0
        fi
        withdraw; shown=no;;
      yield)
        withdraw; shown=no
        until [ $verdict = free ] || [ $verdict = held ] || late; do
          nap
          look || die "$those $these"
          judge
        done;;
      wait) nap;;
    esac
  done
  withdraw; exit 11
}

renew() {
  those=$(volumes) || die "$those"
  mine=$(of_token "$token" "$those" | tail -n 1)
  [ -n "$mine" ] || exit 10
  set -- $mine
  since=$4 run=$5 gpus=$6 account=$7 user=$8 operator=$9
  [ "$2" != "$asked" ] || exit 10
  next=$(printf '%06d' $(( 1$2 - 1000000 + 1 )))
  if step "$2" "$next"; then remove "$token" "$token $2"; else withdraw; exit 10; fi
}

case $act in
  acquire) acquire;;
  renew) renew;;
  release) those=$(volumes) || die "$those"; remove "$token" "$(of_token "$token" "$those")";;
  list) look || die "$those $these"; show;;
esac
exit 0
