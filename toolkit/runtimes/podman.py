"""podman, whose command line is Docker's with a few differences. Never tried on a real host."""

from __future__ import annotations

from toolkit.runtimes.docker import Docker
from toolkit.runtimes.specs import Argv


class Podman(Docker):
    """podman 4.0 and later."""

    program = "podman"
    oldest = "4.0"
    makes_bound_folders = False
    """`--volume` refuses a folder that does not exist."""
    takes_partial_images = False

    def volumes_folder(self) -> Argv:
        """See `ContainerRuntime.volumes_folder`."""
        return [self.program, "info", "--format", "{{.Store.VolumePath}}"]

    def socket(self) -> Argv:
        """See `ContainerRuntime.socket`."""
        return [self.program, "info", "--format", "{{.Host.RemoteSocket.Path}}"]
