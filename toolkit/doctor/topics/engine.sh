# shellcheck shell=sh
at user; id -un; id -u; id -Gn
at engine
if has "$engine"; then
  info=$(within 10 "$engine" info --format '{{json .}}' 2>&1); echo "status $?"
  printf '%s\n' "$info"
else
  echo missing; info=
fi
