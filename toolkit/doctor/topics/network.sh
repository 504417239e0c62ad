# shellcheck shell=sh
at interfaces
for one in /sys/class/net/*; do
  [ -r "$one/mtu" ] && echo "${one##*/} $(cat "$one/mtu") $(cat "$one/speed" || echo -1)"
done
at addresses; ip -o addr show
at fib; has ip || cat /proc/net/fib_trie
at routes; has ip || cat /proc/net/route
at inet6; has ip || cat /proc/net/if_inet6
at firewall
has iptables && within 5 iptables -S INPUT
has nft && within 5 nft list chains
