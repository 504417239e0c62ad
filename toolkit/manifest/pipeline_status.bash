# shellcheck shell=bash disable=SC2086 # statuses are numbers
# The status of a pipeline whose parts ended with these: that of the rightmost part that failed, as with bash's
# pipefail; but a part before the last may end by SIGPIPE (128 + 13), because the next one reads no more.
pipeline_status() { local last=${!#} status=0 part;
for part in "${@:1:$#-1}"; do case $part in 0|141) ;; *) status=$part ;; esac; done;
[ $last = 0 ] || status=$last; return $status; }
