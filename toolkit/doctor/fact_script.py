"""What a host is asked: one fixed POSIX sh program, whose every part does without a program that is missing.

It writes nothing on the host. Each section begins with a line `@toolkit NAME`; `toolkit.doctor.parse` reads them.
What may hang (an engine, a driver) is given some seconds where the host has `timeout`.
"""

from __future__ import annotations

from toolkit.catalogue.model import LEARNER_UID
from toolkit.runtimes.specs import Argv

MARK = "@toolkit "
SECONDS = 25.0
"""For the whole program; its parts end sooner where the host has `timeout`."""
GPU_FIELDS = (
    "index,uuid,name,driver_version,memory.total,memory.used,ecc.mode.current,ecc.errors.uncorrected.volatile.total,"
    "pci.bus_id"
)
CORES = r"""
grep Cpus_allowed_list /proc/self/status
grep -H . /sys/devices/system/cpu/online
grep -H . /sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list
grep -H . /sys/devices/system/node/node[0-9]*/cpulist
"""
"""Prints which CPUs are allowed and online, each one's siblings, and each NUMA node's CPUs. Part of `PROGRAM`."""


def question(engine: str, scratch: str) -> Argv:
    """The command that prints a host's facts. `engine` is `docker` or `podman`; `scratch` may be empty."""
    return ["sh", "-c", PROGRAM, "sh", engine, scratch, GPU_FIELDS, str(LEARNER_UID)]


PROGRAM = (
    r"""
engine=$1 scratch=$2 fields=$3 learner=$4
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin LC_ALL=C
export PATH LC_ALL
exec 2>/dev/null </dev/null
at() { echo; echo "@toolkit $1"; }
has() { command -v "$1" >/dev/null; }
now() { date +%s.%N; }
if timeout 5 true; then within() { timeout "$@"; }; else within() { shift; "$@"; }; fi
# How much room there is where $1 lies, or will lie.
room() {
  there=$1
  while [ -n "$there" ] && [ ! -e "$there" ] && [ "$there" != / ]; do there=$(dirname "$there"); done
  echo "$there"
  if [ -w "$there" ]; then echo writable; else echo "not writable"; fi
  df -Pk "$there"
}
limits() { grep -iE '^[[:space:]]*(match|maxstartups|maxsessions)[[:space:]]'; }
configured() (
  cd /etc/ssh && while read -r word rest; do
    case $word in
      [Ii]nclude) for file in $rest; do cat "$file"; done ;;
      *) echo "$word $rest" ;;
    esac
  done <sshd_config
)

at begin; now
at user; id -un; id -u; id -Gn
at learner; within 5 getent passwd "$learner" || grep "^[^:]*:[^:]*:$learner:" /etc/passwd
at hostname; hostname || cat /proc/sys/kernel/hostname
at kernel; uname -sr
at boot; cat /proc/sys/kernel/random/boot_id
at cpus; nproc || grep -c '^processor' /proc/cpuinfo
at cores
"""
    + CORES
    + r"""
at memory; grep '^MemTotal:' /proc/meminfo
at pid_max; cat /proc/sys/kernel/pid_max
at fuse
if [ -c /dev/fuse ]; then (exec 3<>/dev/fuse) 2>&1 && echo opens; else echo missing; fi
at shm; df -Pk /dev/shm
at memlock; ulimit -H -l
at rdma
for one in /dev/infiniband/* /sys/class/infiniband/*; do [ -e "$one" ] && echo "$one"; done
at interfaces
for one in /sys/class/net/*; do
  [ -r "$one/mtu" ] && echo "${one##*/} $(cat "$one/mtu") $(cat "$one/speed" || echo -1)"
done
at addresses; ip -o addr show
at fib; has ip || cat /proc/net/fib_trie
at routes; has ip || cat /proc/net/route
at inet6; has ip || cat /proc/net/if_inet6
at ports; grep -h ' 0A ' /proc/net/tcp /proc/net/tcp6
at firewall
has iptables && within 5 iptables -S INPUT
has nft && within 5 nft list chains
at sshd
effective=$(within 5 sshd -T | limits)
if [ -n "$effective" ]; then echo "$effective"; else echo configured; configured | limits; fi
at scratch; [ -n "$scratch" ] && room "$scratch"
at engine
if has "$engine"; then
  info=$(within 10 "$engine" info --format '{{json .}}' 2>&1); echo "status $?"
  printf '%s\n' "$info"
else
  echo missing; info=
fi
root=
for name in DockerRootDir graphRoot; do
  root=$root$(printf '%s\n' "$info" | sed -n "s/.*\"$name\":\"\([^\"]*\)\".*/\\1/p")
done
at images; [ -n "$root" ] && room "$root"
at driver; cat /proc/driver/nvidia/version
at gpus
if has nvidia-smi; then
  within 12 nvidia-smi "--query-gpu=$fields" --format=csv,noheader,nounits 2>&1; echo "status $?"
else
  echo missing
fi
at gpu_nodes
for one in /sys/bus/pci/devices/*; do
  [ "$(cat "$one/vendor")" = 0x10de ] && echo "${one##*/} $(cat "$one/numa_node")"
done
at end; now
"""
)
