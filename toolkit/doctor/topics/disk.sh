# shellcheck shell=sh
# How much room there is where $1 lies, or will lie.
room() {
  there=$1
  while [ -n "$there" ] && [ ! -e "$there" ] && [ "$there" != / ]; do there=$(dirname "$there"); done
  echo "$there"
  if [ -w "$there" ]; then echo writable; else echo "not writable"; fi
  df -Pk "$there"
}
# shellcheck disable=SC2154 # an argument of the whole program
at scratch; [ -n "$scratch" ] && room "$scratch"
root=
for name in DockerRootDir graphRoot; do
  # shellcheck disable=SC2154 # set by the engine's part
  root=$root$(printf '%s\n' "$info" | sed -n "s/.*\"$name\":\"\([^\"]*\)\".*/\\1/p")
done
at images; [ -n "$root" ] && room "$root"
