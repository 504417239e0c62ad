"""The side container: mounts a run's buckets through FUSE so that learners see folders and never a key.

It lies over the run's volume. The volume's folder is below the engine's own root, which the engine makes a shared
mount (moby `setupDaemonRootPropagation`); so what is mounted here appears in the learners even where `/` of
the host is private, and no one needs root on the host for it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.buckets.store import Access
from toolkit.catalogue.model import LEARNER_UID
from toolkit.engines import docker_argv
from toolkit.engines.docker_argv import Argv, Bind
from toolkit.engines.engine import Engine
from toolkit.errors import Code, ToolkitError
from toolkit.process import Result
from toolkit.tar_stream import Entry, tar_stream

HOST = "/run/host"
"""The run's volume, as the side container sees it."""
_SOCKET = "/run/private/rc.sock"
_CONFIG = "/run/private/rclone.conf"
_COMMAND = (
    f"until [ -s {_CONFIG} ]; do sleep 0.05; done; exec rclone rcd --rc-addr unix://{_SOCKET} --rc-no-auth "
    f"--config {_CONFIG} --cache-dir {HOST}/cache --use-server-modtime --verbose"
)
_RECEIVE_CONFIG = ("sh", "-c", f"umask 077; cat > /run/private/new && mv /run/private/new {_CONFIG}")
_START_SECONDS = 15.0
_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Mount:
    """A bucket as a folder: `remote` names the section of rclone's configuration, `folder` is below `HOST`.

    `prefix` is the part of the bucket that is meant; `copied`: its files are fetched, and not mounted.
    """

    remote: str
    bucket: str
    folder: str
    read_only: bool
    prefix: str = ""
    copied: bool = False

    @property
    def filesystem(self) -> str:
        """As rclone names it."""
        return f"{self.remote}:{self.place}"

    @property
    def place(self) -> str:
        """The bucket, or the part of it that is meant."""
        return f"{self.bucket}/{self.prefix}" if self.prefix else self.bucket


@dataclass(frozen=True)
class Flush:
    """What a mount has still to upload: files waiting, under way, and failed so far."""

    queued: int
    uploading: int
    errored: int

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        return self.queued == self.uploading == self.errored == 0


def rclone_config(remotes: dict[str, Access]) -> str:
    """rclone's configuration with the keys in it: it goes through a pipe into the container's memory."""
    return "\n".join(
        f"[{name}]\ntype = s3\nprovider = Other\nforce_path_style = true\nno_check_bucket = true\n"
        f"endpoint = {access.endpoint_url}\naccess_key_id = {access.access_key_id.reveal()}\n"
        f"secret_access_key = {access.secret_access_key.reveal()}\n"
        + (f"session_token = {access.session_token.reveal()}\n" if access.session_token else "")
        for name, access in remotes.items()
    )


def mount_options(mount: Mount) -> dict[str, Any]:
    """What `mount/mount` is asked for."""
    cache = {
        # TensorFlow's saver renames and rewrites: that needs the full cache.
        "CacheMode": "full",
        "WriteBack": "1s",
        # Nothing leaves the cache by age: a month of checkpoints must be comparable with the bucket at the end.
        "CacheMaxAge": "87600h",
        "DirCacheTime": "5s",
    }
    options = {"UID": LEARNER_UID, "GID": LEARNER_UID, "DirPerms": 0o755, "FilePerms": 0o644}
    return {
        "fs": mount.filesystem,
        "mountPoint": f"{HOST}/{mount.folder}",
        "vfsOpt": options | ({"ReadOnly": True} if mount.read_only else cache),
        "mountOpt": {"AllowOther": True},
    }


def side_argv(name: str, run: str, image: str, folder: str) -> Argv:
    """The command line that starts a side container over the volume whose folder on the host is `folder`."""
    bind = Bind(folder, HOST, propagation="rshared")
    return docker_argv.start_side_container(name, run, image, [bind], ("sh", "-c", _COMMAND))


class SideContainer:
    """A run's side container on the host of `engine`."""

    def __init__(self, engine: Engine, name: str, run: str, image: str, volume: str) -> None:
        self._engine = engine
        self._name, self._run, self._image, self._volume = name, run, image, volume
        self.folder = ""
        """The volume's folder on the host, once started."""

    def start(self, remotes: dict[str, Access]) -> None:
        """Create the volume and the container, and hand it its keys."""
        self._engine.run(docker_argv.create_volume(self._volume, self._run))
        self.folder = self._engine.run(docker_argv.volume_folder(self._volume)).output.strip()
        self._engine.run(side_argv(self._name, self._run, self._image, self.folder))
        config = rclone_config(remotes).encode()
        self.run(_RECEIVE_CONFIG, data=config)
        deadline = time.monotonic() + _START_SECONDS
        while not (said := self._rc("core/pid", {}, check=False)).ok:
            if time.monotonic() > deadline:
                raise ToolkitError(Code.LOADING_DATA, "the side container did not start", evidence=said.errors)
            time.sleep(0.05)

    def mount(self, mount: Mount) -> None:
        """Mount one bucket, or copy what is in it; raises `ToolkitError` (S302) with what rclone said."""
        self.run(("mkdir", "-p", f"{HOST}/{mount.folder}"))
        if mount.copied:
            self._copy(mount)
            return
        result = self._rc("mount/mount", mount_options(mount), check=False)
        if not result.ok:
            said = f"{result.output}\n{result.errors}".strip()
            raise ToolkitError(
                Code.LOADING_DATA,
                f"bucket {mount.bucket} could not be mounted",
                evidence=said[-2000:],
                mend="is /dev/fuse there (modprobe fuse), and may the engine's containers use it?",
            )

    def _copy(self, mount: Mount) -> None:
        """Each file is compared with the bucket's checksum as it arrives; they belong to root, so no learner writes."""
        command = ("rclone", "--config", _CONFIG, "copy", "--quiet", mount.filesystem, f"{HOST}/{mount.folder}")
        result = self.run(command, check=False)
        if not result.ok:
            raise ToolkitError(
                Code.LOADING_DATA,
                f"bucket {mount.place} could not be copied to {self._engine.host}",
                evidence=result.errors[-2000:],
            )

    def make_folders(self, folders: Sequence[str]) -> None:
        """Make folders below `HOST` that belong to the learners' user."""
        owner = str(LEARNER_UID)
        self.run(("install", "-d", "-o", owner, "-g", owner, *(f"{HOST}/{folder}" for folder in folders)))

    def put(self, entries: Iterable[Entry]) -> None:
        """Unpack files below `HOST`, with the modes and owners that they carry."""
        argv = docker_argv.execute(self._name, ("tar", "--extract", "--directory", HOST), stdin=True)
        self._engine.feed(argv, tar_stream(entries))

    def run(
        self, command: Sequence[str], *, data: bytes | None = None, check: bool = True, timeout: float | None = None
    ) -> Result:
        """Run a command in the container; `data` is what it reads."""
        argv = docker_argv.execute(self._name, command, stdin=data is not None)
        return self._engine.run(argv, data=data, check=check, timeout=timeout)

    def flush(self, mount: Mount, patience: float, on_state: Callable[[Flush], None]) -> None:
        """Wait until the mount has nothing left to upload.

        rclone writes back some seconds after a file is closed, so an unmount proves nothing. Raises
        `ToolkitError` (S303) once `patience` seconds pass in which nothing moved.
        """
        last, since = None, time.monotonic()
        while True:
            state, moved = self._pending(mount)
            on_state(state)
            if state.settled:
                return
            if (state, moved) != last:
                last, since = (state, moved), time.monotonic()
            elif time.monotonic() - since > patience:
                raise self._not_stored(mount, state)
            time.sleep(_POLL_SECONDS)

    def differences(self, mount: Mount, folder: str, *, touched_only: bool = False) -> str:
        """Compare `folder` of the mount, as programs see it, with the bucket: sizes and MD5, by a fresh reader.

        With `touched_only`, the files alone that this mount has read or written: others' are none of its business.
        Returns what is missing or differs; empty where all is the same.
        """
        command = ["rclone", "--config", _CONFIG, "check", "--one-way", "--quiet"]
        command += ["--error", "-", "--missing-on-dst", "-", "--differ", "-"]
        data = b""
        if touched_only:
            cached = f"{HOST}/cache/vfs/{mount.remote}/{mount.place}/{folder}"
            data = self.run(("find", cached, "-type", "f", "-printf", "%P\\n"), check=False).output.encode()
            if not data:
                return ""
            command += ["--files-from", "-"]
        command += [f"{HOST}/{mount.folder}/{folder}", f"{mount.filesystem}/{folder}"]
        result = self.run(command, data=data, check=False)
        return "" if result.ok else f"{result.output}\n{result.errors}".strip() or f"status {result.status}"

    def unmount(self) -> None:
        """Take down every mount, so that the volume can be removed; it is no error if there is none."""
        self._rc("mount/unmountall", {}, check=False)

    def said(self) -> str:
        """The last of what rclone logged: evidence."""
        result = self._engine.run(docker_argv.logs(self._name), check=False)
        return (result.output + result.errors)[-3000:]

    def _pending(self, mount: Mount) -> tuple[Flush, int]:
        stats = json.loads(self._rc("vfs/stats", {"fs": mount.filesystem}).output)["diskCache"]
        moved = int(json.loads(self._rc("core/stats", {}).output)["bytes"])
        return Flush(stats["uploadsQueued"], stats["uploadsInProgress"], stats["erroredFiles"]), moved

    def _not_stored(self, mount: Mount, state: Flush) -> ToolkitError:
        return ToolkitError(
            Code.STORING_RESULTS,
            f"{state.queued + state.uploading + state.errored} files could not be stored in bucket {mount.bucket}",
            evidence=self.said(),
            mend=f"the files are kept in the volume {self._volume} (folder cache/) of {self._engine.host}'s engine",
        )

    def _rc(self, call: str, parameters: dict[str, Any], *, check: bool = True) -> Result:
        # Nothing in the parameters is secret: the remotes are named, their keys are in the configuration.
        command = ("rclone", "rc", "--unix-socket", _SOCKET, "--json", json.dumps(parameters), call)
        return self.run(command, check=check, timeout=60)
