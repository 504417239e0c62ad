# shellcheck shell=sh
limits() { grep -iE '^[[:space:]]*(match|maxstartups|maxsessions)[[:space:]]'; }
configured() (
  cd /etc/ssh && while read -r word rest; do
    case $word in
      [Ii]nclude) for file in $rest; do cat "$file"; done ;;
      *) echo "$word $rest" ;;
    esac
  done <sshd_config
)
at sshd
effective=$(within 5 sshd -T | limits)
if [ -n "$effective" ]; then echo "$effective"; else echo configured; configured | limits; fi
