# shellcheck shell=sh
# Prints its process id, by which the command can be ended, and runs the command.
echo "toolkit-command $$"; "$@"; exit $?
