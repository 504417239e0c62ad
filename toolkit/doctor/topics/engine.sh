# shellcheck shell=sh
at user; id -un; id -u; id -Gn
at engine
# shellcheck disable=SC2154 # an argument of the whole program
if has "$engine"; then
  info=$(within 10 "$engine" info --format '{{json .}}' 2>&1); echo "status $?"
  printf '%s\n' "$info"
else
  echo missing; info=
fi
