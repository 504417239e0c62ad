# shellcheck shell=sh
at hostname; hostname || cat /proc/sys/kernel/hostname
at kernel; uname -sr
at boot; cat /proc/sys/kernel/random/boot_id
at cpus; nproc || grep -c '^processor' /proc/cpuinfo
at pid_max; cat /proc/sys/kernel/pid_max
