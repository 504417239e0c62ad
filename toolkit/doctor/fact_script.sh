# shellcheck shell=sh
# The beginning of the program that prints a host's facts; the topics' parts follow. It is called with the engine's
# command, the scratch folder and, as NAME=VALUE, the topics' variables. Every part does without what is missing.
engine=$1 scratch=$2
shift 2
for one; do export "${one?}"; done
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin LC_ALL=C
export PATH LC_ALL engine scratch
exec 2>/dev/null </dev/null
# A part may use these: `at NAME` begins a section, `has COMMAND` says whether it is there, and `within SECONDS COMMAND`
# gives up on what may hang where the host has `timeout`.
at() { echo; echo "@toolkit $1"; }
has() { command -v "$1" >/dev/null; }
now() { date +%s.%N; }
if timeout 5 true; then within() { timeout "$@"; }; else within() { shift; "$@"; }; fi
at begin; now
