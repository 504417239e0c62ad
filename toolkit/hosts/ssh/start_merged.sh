# shellcheck shell=sh
# The same with one pipe for output and errors: their order is the command's own then, and no line of one stands in the
# middle of the other's.
echo "toolkit-command $$"; "$@" 2>&1; exit $?
