"""Docker's command lines for a lab, as values. Every container, volume and network of a lab has two labels: the lab's
name, by which it is found and cleaned, and the folder on this machine that holds its key."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.lab.model import Lab
from toolkit.runtimes.specs import Argv

LAB_LABEL = "toolkit.lab"
FOLDER_LABEL = "toolkit.lab.folder"
NUMBER_LABEL = "toolkit.lab.host"
_CAPABILITIES = (
    *("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYS_CHROOT", "MKNOD", "DAC_READ_SEARCH", "IPC_LOCK", "SYS_NICE"),
    "LINUX_IMMUTABLE",
)
"""What an engine inside needs. `--privileged` requests all of them, and fails on a machine that lacks one."""
_HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"


def create_network(lab: Lab) -> Argv:
    """The lab's bridge; the engine picks a free subnet."""
    return ["docker", "network", "create", "--driver", "bridge", *_labels(lab), lab.network]


def create_disk(lab: Lab, number: int) -> Argv:
    """The volume for the images of a host's engine: overlay2 cannot be on a container's own overlay."""
    return ["docker", "volume", "create", *_labels(lab), lab.container(number)]


def start_host(lab: Lab, number: int, image: str, public_key: str) -> Argv:
    """A host: its own name, address, disk, control groups and engine; `public_key` may log in."""
    return [
        *("docker", "run", "--detach", "--init", "--pull", "never", "--name", lab.container(number)),
        *(*_labels(lab), "--label", f"{NUMBER_LABEL}={number}"),
        *("--hostname", lab.host(number), "--network", lab.network),
        *(word for capability in _CAPABILITIES for word in ("--cap-add", capability)),
        *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
        *("--security-opt", "systempaths=unconfined"),
        *("--device", "/dev/fuse", "--device-cgroup-rule", "a *:* rwm", "--cgroupns", "private"),
        *("--mount", f"type=volume,source={lab.container(number)},target=/var/lib/docker"),
        *("--env", f"TOOLKIT_LAB_KEY={public_key}", image, "sh", "/usr/local/lib/lab-host.sh"),
    ]


def inspect(noun: str, names: Sequence[str]) -> Argv:
    """Print all that the engine has on them, as JSON."""
    return ["docker", noun, "inspect", *names]


def host_key(container: str) -> Argv:
    """Print the host's public key, through the engine: a network could forge it."""
    return ["docker", "exec", container, "cat", _HOST_KEY]


def engine_version(container: str) -> Argv:
    """Print the version of the host's own engine, once it answers."""
    return ["docker", "exec", container, "docker", "version", "--format", "{{.Server.Version}}"]


def last_lines(container: str, count: int) -> Argv:
    """Print the host's last lines of output."""
    return ["docker", "logs", "--tail", str(count), container]


def _labels(lab: Lab) -> list[str]:
    return ["--label", f"{LAB_LABEL}={lab.name}", "--label", f"{FOLDER_LABEL}={lab.folder}"]
