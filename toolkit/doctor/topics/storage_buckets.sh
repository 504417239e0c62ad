# shellcheck shell=sh
# The keys come by standard input into a file in memory. A folder that is not there is asked for: the answer, that it
# is not there, says that the store was reached and the keys are good, and no bucket's long list is read.
umask 077; cd /run/private && cat >rclone.conf
while [ $# -gt 1 ]; do
  timeout 12 rclone --config rclone.conf --cache-dir /run/private/cache --contimeout 4s --timeout 8s --retries 1 \
    --low-level-retries 1 lsf "$1:$2/.toolkit-doctor" >said 2>&1
  printf '%s %s %s\n' "$1" "$?" "$(tail -n 1 said)"
  shift 2
done
