"""The bucket container (sidecar): mounts a run's buckets through FUSE so that learners see folders and never a key.

It uses the run's volume. The volume's folder is below the engine's own root, which the engine makes a shared mount
(moby `setupDaemonRootPropagation`); so what is mounted here appears in the learners even if `/` of the host is private,
and nobody needs root on the host for it.

In a run it answers the run's agent (`toolkit.agent`), which supervises the run and has no keys; a model's check needs
only the mounts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.agent.paths import CONFIG, HOST, SOCKET
from toolkit.catalogue.model import LEARNER_UID
from toolkit.containers.engine import Engine
from toolkit.containers.programs import start_when_there
from toolkit.errors import Code, ToolkitError
from toolkit.loopback import is_loopback
from toolkit.process import Result
from toolkit.runtimes.runtime import ContainerRuntime
from toolkit.runtimes.specs import Argv, Bind
from toolkit.storage.client import Access

_MOUNT_DAEMON = (
    *("rclone", "rcd", "--rc-addr", f"unix://{SOCKET}", "--rc-no-auth", "--config", CONFIG),
    *("--cache-dir", f"{HOST}/cache", "--use-server-modtime", "--verbose"),
)
AGENT_PROGRAM = ("python3", "-m", "toolkit.agent")
"""The command prefix of both side containers, see `toolkit.agent.__main__`."""


@dataclass(frozen=True)
class Mount:
    """A bucket as a folder: `remote` names the section of rclone's configuration, `folder` is below `HOST`.

    `prefix` is the part of the bucket to use; `copied`: its files are downloaded instead of mounted.
    """

    remote: str
    bucket: str
    folder: str
    read_only: bool
    prefix: str = ""
    copied: bool = False

    @property
    def filesystem(self) -> str:
        """rclone's name for it."""
        return f"{self.remote}:{self.place}"

    @property
    def place(self) -> str:
        """The bucket, or the part of it to use."""
        return f"{self.bucket}/{self.prefix}" if self.prefix else self.bucket


def rclone_config(remotes: Mapping[str, Access]) -> str:
    """rclone's configuration with the keys: it is piped into the container's memory.

    Raises `ToolkitError` (C103) if a value contains a newline.
    """
    return "\n".join(f"[{name}]\n{_section(name, access)}" for name, access in remotes.items())


def _section(name: str, access: Access) -> str:
    """A store's section.

    For a store on the host itself, rclone need not read a large file an extra time before its upload, only to say what
    its MD5 is: nothing is transferred over a network, and `toolkit.agent.compare` relies on no such claim.
    """
    values = {
        "type": "s3",
        "provider": "Other",
        "no_check_bucket": "true",
        **_ways(access),
        "endpoint": access.endpoint_url,
        "access_key_id": access.access_key_id.reveal(),
        "secret_access_key": access.secret_access_key.reveal(),
        **({"session_token": access.session_token.reveal()} if access.session_token else {}),
    }
    for key, value in values.items():
        if not value.isprintable():
            raise ToolkitError(
                Code.CREDENTIALS,
                f"{key} of the {name} store contains a newline or another character that no key or address has",
                hint="check the manifest, and the file or variable that it names",
            )
    if access.direct or is_loopback(access.endpoint_url):
        values["disable_checksum"] = "true"
    return "".join(f"{key} = {value}\n" for key, value in values.items())


def _ways(access: Access) -> dict[str, str]:
    """rclone's settings for the store besides its address.

    If ETags are not MD5s, rclone must not take them for that: it would consider each upload corrupted, and remove it.
    `server_side_encryption` tells it, and requests the very key that the store uses anyway; without a key to name,
    `directory_bucket` tells it, and changes nothing except that no `Content-MD5` is sent (`NewFs` in rclone's s3.go).
    With a customer's key rclone knows it by itself.
    """
    ways = {"force_path_style": str(not access.virtual_hosted).lower()}
    if access.region:
        ways["region"] = access.region
    if access.customer_key:
        ways |= {"sse_customer_algorithm": "AES256", "sse_customer_key_base64": access.customer_key.reveal()}
    elif not access.md5_etags and access.encryption == "aws:kms" and access.kms_key:
        ways |= {"server_side_encryption": "aws:kms", "sse_kms_key_id": access.kms_key}
    elif not access.md5_etags:
        ways["directory_bucket"] = "true"
    return ways


def mount_options(mount: Mount) -> dict[str, Any]:
    """The parameters of `mount/mount`."""
    cache = {
        # TensorFlow's saver renames and rewrites: that needs the full cache.
        "CacheMode": "full",
        "WriteBack": "1s",
        # Nothing expires from the cache: a month of checkpoints must be comparable with the bucket at the end.
        "CacheMaxAge": "87600h",
        "DirCacheTime": "5s",
        # Written files stay in the cache when they are read again. Otherwise they would be dropped if a store reports a
        # time to the second in one response and to the millisecond in another, and a re-read file has no checksum.
        "FastFingerprint": True,
    }
    options = {"UID": LEARNER_UID, "GID": LEARNER_UID, "DirPerms": 0o755, "FilePerms": 0o644}
    return {
        "fs": mount.filesystem,
        "mountPoint": f"{HOST}/{mount.folder}",
        "vfsOpt": options | ({"ReadOnly": True} if mount.read_only else cache),
        "mountOpt": {"AllowOther": True},
    }


def buckets_argv(
    runtime: ContainerRuntime, name: str, run: str, image: str, folder: str, results: Mount, *, local: bool = False
) -> Argv:
    """The command line that starts the container with a run's keys and mounts; `folder` is that of the volume. With
    `local` it uploads the run's own results from there."""
    command = (*AGENT_PROGRAM, "buckets", *words_of(run, results), *(("local",) if local else ()))
    return runtime.start_side_container(name, run, image, [Bind(folder, HOST, propagation="rshared")], command)


def words_of(run: str, results: Mount) -> tuple[str, str, str]:
    """The arguments that tell the container with the keys which bucket a run writes to."""
    return (run, results.filesystem, results.folder)


class SideContainer:
    """The container on the host of `engine` that holds a run's keys and mounts."""

    def __init__(self, engine: Engine, name: str, run: str, image: str, volume: str) -> None:
        self.engine = engine
        self.name, self._run, self._image, self._volume = name, run, image, volume
        self.folder = ""
        """The volume's folder on the host, once started."""

    def start(self) -> None:
        """Create the volume and the container: for mounts alone, without an agent."""
        runtime = self.engine.runtime
        self.engine.run(runtime.create_volume(self._volume, self._run))
        self.folder = self.engine.run(runtime.volume_folder(self._volume)).output.strip()
        binds = [Bind(self.folder, HOST, propagation="rshared")]
        command = start_when_there(CONFIG, _MOUNT_DAEMON)
        self.engine.run(runtime.start_side_container(self.name, self._run, self._image, binds, command))

    def hold_for(self, results: Mount, folder: str, *, local: bool = False) -> None:
        """Start the container for a run, whose agent has created the volume in `folder`; see `buckets_argv`."""
        self.folder = folder
        names = (self.name, self._run, self._image)
        self.engine.run(buckets_argv(self.engine.runtime, *names, folder, results, local=local))

    def submit_code(self, results: Mount) -> None:
        """Store the run's code; raises `ToolkitError` (S303) with the store's message."""
        done = self.run((*AGENT_PROGRAM, "submit", *words_of(self._run, results)), check=False)
        if not done.ok:
            raise ToolkitError(
                Code.STORING_RESULTS,
                f"the code could not be stored in bucket {results.place}",
                evidence=done.errors[-2000:],
                hint="are the keys allowed to write there?",
                context={"reason": "bucket write"},
            )

    def discard_code(self, results: Mount) -> None:
        """Remove the code of a run that does not start from the bucket; no error if there is none."""
        self.run((*AGENT_PROGRAM, "discard", *words_of(self._run, results)), check=False, timeout=60)

    def prepare(
        self, remotes: Mapping[str, Access] | None, mounts: Sequence[Mount] = (), folders: Sequence[str] = ()
    ) -> None:
        """Send it its keys, in `remotes` (None: it has them); mount buckets, or copy their contents; create folders
        below `HOST` that belong to the learners' user. Raises `ToolkitError` (S302) with rclone's message."""
        request = {
            "config": rclone_config(remotes) if remotes else "",
            "mounts": [mount_options(mount) for mount in mounts if not mount.copied],
            "folders": [f"{HOST}/{folder}" for folder in folders],
            "owner": LEARNER_UID,
        }
        result = self.run((*AGENT_PROGRAM, "prepare"), data=json.dumps(request).encode(), check=False, timeout=180)
        if not result.ok:
            raise self._not_prepared(result)
        for mount in mounts:
            if mount.copied:
                self._copy(mount)

    def _not_prepared(self, result: Result) -> ToolkitError:
        # The engine knows no container whose command has ended.
        if not self.engine.run(self.engine.runtime.status_of(self.name), check=False).ok:
            return ToolkitError(
                Code.RESOURCES,
                f"the run's container on {self.engine.host} is gone: it was killed, or the engine was stopped",
                context={"host": self.engine.host, "reason": "container gone"},
            )
        logs = self.engine.run(self.engine.runtime.logs(self.name), check=False).errors
        return ToolkitError(
            Code.LOADING_DATA,
            f"buckets could not be mounted on {self.engine.host}",
            evidence=f"{logs[-1000:]}\n{result.errors[-1000:]}".strip(),
            hint="is /dev/fuse there (modprobe fuse), and may the engine's containers use it?",
        )

    def _copy(self, mount: Mount) -> None:
        """Each file is compared with the bucket's checksum as it arrives. They belong to root: learners only read."""
        self.run(("mkdir", "-p", f"{HOST}/{mount.folder}"))
        command = ("rclone", "--config", CONFIG, "copy", "--quiet", mount.filesystem, f"{HOST}/{mount.folder}")
        result = self.run(command, check=False)
        if not result.ok:
            raise ToolkitError(
                Code.LOADING_DATA,
                f"bucket {mount.place} could not be copied to {self.engine.host}",
                evidence=result.errors[-2000:],
            )

    def run(
        self, command: Sequence[str], *, data: bytes | None = None, check: bool = True, timeout: float | None = None
    ) -> Result:
        """Run a command in the container; `data` is what it reads."""
        argv = self.engine.runtime.execute(self.name, command, stdin=data is not None)
        return self.engine.run(argv, data=data, check=check, timeout=timeout)

    def unmount(self) -> None:
        """Unmount everything, so that the volume can be removed; no error if there is nothing."""
        command = ("rclone", "rc", "--unix-socket", SOCKET, "--json", "{}", "mount/unmountall")
        self.run(command, check=False, timeout=60)
