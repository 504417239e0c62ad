# shellcheck shell=sh
# Serves the folders in $4 by S3 at the address $1, for as long as the file $2 changes. $3 is a folder in memory whose
# `auth` has the keys. $7 is the folder in $4 of the run that the server belongs to, if any; $5 is the name of the file
# that says that the run has begun. Seconds ($6 without a change end it) are counted, not read from a clock: that may be
# set.
address=$1 watched=$2 private=$3 buckets=$4 began=$5 patience=$6 run=$7
silent=0 last='' over='' waited=0
watch() {
  if [ -n "$run" ]; then
    if [ -e "$buckets/$run/record.json" ]; then over=yes; fi
    if [ -e "$buckets/$run/$began" ]; then return; fi
  fi
  now=$(stat -c %y "$watched" 2>/dev/null)
  if [ "$now" = "$last" ]; then silent=$((silent + 1)); else silent=0 last=$now; fi
  [ $silent -lt "$patience" ] || over=yes
}
until [ -s "$private/auth" ]; do
  sleep 0.02
  waited=$((waited + 1))
  [ $waited -lt 1500 ] || exit 1
done
server=''
trap 'over=yes; [ -z "$server" ] || kill $server' TERM # before the server: a stop at this moment must end it, too
# The keys come through a file in memory, so that neither the command line nor `docker inspect` shows them.
RCLONE_AUTH_KEY="$(cat "$private/auth")" RCLONE_CONFIG=/dev/null rclone serve s3 \
  --addr "$address:0" --dir-cache-time 1s --cache-dir /tmp "$buckets" &
server=$!
while [ -z "$over" ] && kill -0 $server 2>/dev/null; do sleep 1 & wait $!; watch; done
sleep 3
kill $server
