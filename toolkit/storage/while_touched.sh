# shellcheck shell=sh
# Lasts as long as the file $1 changes, and $2 seconds more. Seconds are counted, not read from a clock: that may be set.
watched=$1 patience=$2 silent=0 last=''
trap 'exit' TERM
while [ $silent -lt "$patience" ]; do
  now=$(stat -c %y "$watched" 2>/dev/null)
  if [ "$now" = "$last" ]; then silent=$((silent + 1)); else silent=0 last=$now; fi
  sleep 1 &
  wait $!
done
