#!/bin/sh
# Boot script of a lab host: its own host key, two users with the lab's key, the container engine, sshd.
# TOOLKIT_LAB_KEY is the public key that may log in.
set -eu

allow() { # NAME FOLDER
    install -d -m 0700 -o "$1" -g "$1" "$2/.ssh"
    (umask 077 && printf '%s\n' "$TOOLKIT_LAB_KEY" > "$2/.ssh/authorized_keys")
    chown "$1:$1" "$2/.ssh/authorized_keys"
}

# The image contains no key. Generating an RSA key takes a second; ed25519 is instant.
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N "" -C "$(hostname)" -f /etc/ssh/ssh_host_ed25519_key
echo 'PasswordAuthentication no' > /etc/ssh/sshd_config.d/lab.conf
# The learners' user belongs to images; a host has no account with its uid.
! id learner > /dev/null 2>&1 || userdel learner
id operator > /dev/null 2>&1 ||
    useradd --create-home --uid 1001 --gid operator --groups docker --shell /bin/bash operator
allow root /root
allow operator /home/operator

# As under systemd: mounts below the engine's directory propagate to the containers that share it.
mount --make-rshared /

# The container sees only its own control groups, read-only: those the engine creates there vanish with the container.
for group in /sys/fs/cgroup $(awk '$2 ~ "^/sys/fs/cgroup/" { print $2 }' /proc/self/mounts); do
    mount -o remount,bind,rw "$group"
done
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    # Version 2: a group that delegates its controllers may not contain processes itself.
    mkdir -p /sys/fs/cgroup/init
    while read -r process; do
        echo "$process" > /sys/fs/cgroup/init/cgroup.procs || true # it has exited meanwhile
    done < /sys/fs/cgroup/cgroup.procs
    sed 's/ / +/g; s/^/+/' /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
fi

# Debian's own script starts and stops the engine (`service docker stop`). It would mount control groups unless fstab
# lists them, and exit if the machine may not raise its limits.
echo 'cgroup /sys/fs/cgroup cgroup noauto 0 0' > /etc/fstab
sed -i 's/ulimit -n 1048576/ulimit -n "$(ulimit -H -n)"/; s/ulimit -p unlimited/true/' /etc/init.d/docker
echo 'DOCKER_OPTS="--log-level=warn"' > /etc/default/docker
# The engine logs to the container's log, so that `docker logs` shows it together with sshd's.
ln -sf /proc/1/fd/1 /var/log/docker.log
rm -f /var/run/docker*.pid
service docker start

mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e
