"""Labs: test clusters of hosts in containers."""

from __future__ import annotations

from toolkit.lab.create import BringUp, LabUp, alone, take_down
from toolkit.lab.inspect import hosts_of, lab_names
from toolkit.lab.model import LabHost, lab_named, wanted_hosts
from toolkit.paths import home
from toolkit.progress import Report, silent

DEFAULT_NAME = "lab"


def create_lab(name: str = DEFAULT_NAME, hosts: int | None = None, *, report: Report = silent) -> LabUp:
    """Create a lab, or resize it; returns its hosts, key and cluster file.

    `hosts` defaults to what the lab has, else two.

    Raises:
        ToolkitError: C104 for an invalid number, S100 if a host does not start.

    Example:
        >>> api.create_lab("mine", hosts=3).cluster_file
    """
    from toolkit.api.builds import build_recipe  # 30 MB to import, which the other functions do not need
    from toolkit.image.tool_images import lab_recipe
    from toolkit.validation.model import TOOL_IMAGE

    lab = lab_named(name, home())
    wanted_hosts(hosts, 0)  # nothing is built for an invalid number
    image = build_recipe(lab_recipe(), TOOL_IMAGE, "classic", report)
    return BringUp(lab, hosts, image.reference, report).run()


def remove_lab(name: str = DEFAULT_NAME, *, report: Report = silent) -> list[str]:
    """Remove a lab's containers, network, volumes and files; returns what was removed.

    Example:
        >>> api.remove_lab("mine")
    """
    lab = lab_named(name, home())
    with alone(lab, report):
        return take_down(lab)


def list_labs() -> dict[str, tuple[LabHost, ...]]:
    """The hosts of each lab in this machine's engine, by the lab's name.

    Example:
        >>> sorted(api.list_labs())
    """
    return {name: hosts_of(name) for name in lab_names()}
