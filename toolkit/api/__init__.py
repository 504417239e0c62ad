"""The tool as a library: one function for each command of `toolkit`, for notebooks and scripts.

    from toolkit import api

    api.build("examples/mnist/manifest.yml")
    run = api.launch("examples/mnist/manifest.yml")
    model = api.collect(run)

Every function rereads its files, does its work, and returns a frozen value. Errors are
`toolkit.errors.ToolkitError`s that say what happened, where, why, and what to do next. Nothing is printed: progress
and notes go to `report` (`toolkit.progress.Report`), a run's states and output to `view`
(`toolkit.run.follow.view.View`).

A function's module is imported when the function is first used: the modules that build images take 30 MB.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.api.buckets import list_buckets, put_data
    from toolkit.api.builds import build, build_all, build_image, render_build
    from toolkit.api.bundles import load_bundle, make_bundle
    from toolkit.api.checkpoints import list_checkpoints, run_checkpoint
    from toolkit.api.clusters import connect_hosts, disconnect_hosts, read_hosts, trust_hosts
    from toolkit.api.documents import image_document, image_licences
    from toolkit.api.frameworks import list_frameworks
    from toolkit.api.host_checks import doctor
    from toolkit.api.images import compare_images, image_details, list_images, why_installed
    from toolkit.api.labs import create_lab, list_labs, remove_lab
    from toolkit.api.launch_plan import plan_launch
    from toolkit.api.launches import launch, launch_again
    from toolkit.api.locks import lock, lock_images, lock_states
    from toolkit.api.manifests import check_manifest, check_manifests, convert_manifest, manifest_schema, write_manifest
    from toolkit.api.measurements import host_metrics, metrics
    from toolkit.api.models import collect
    from toolkit.api.records import find_run, list_runs
    from toolkit.api.reports import report, serve_report
    from toolkit.api.reproductions import check_reproduction, compare_runs, reproduce
    from toolkit.api.run_records import export_record, read_record, record_schema, sign_record, verify_record
    from toolkit.api.runs import clean_hosts, follow, log_lines, rescue_run, stop_run
    from toolkit.api.scoring import score, serve
    from toolkit.api.transfer import load_images, pull_image, push_image, save_as_sif, save_images
    from toolkit.api.verification import verify_image

_MODULES = {
    "buckets": ("list_buckets", "put_data"),
    "builds": ("build", "build_all", "build_image", "render_build"),
    "bundles": ("load_bundle", "make_bundle"),
    "checkpoints": ("list_checkpoints", "run_checkpoint"),
    "clusters": ("connect_hosts", "disconnect_hosts", "read_hosts", "trust_hosts"),
    "documents": ("image_document", "image_licences"),
    "frameworks": ("list_frameworks",),
    "host_checks": ("doctor",),
    "images": ("compare_images", "image_details", "list_images", "why_installed"),
    "labs": ("create_lab", "list_labs", "remove_lab"),
    "launch_plan": ("plan_launch",),
    "launches": ("launch", "launch_again"),
    "locks": ("lock", "lock_images", "lock_states"),
    "manifests": ("check_manifest", "check_manifests", "convert_manifest", "manifest_schema", "write_manifest"),
    "measurements": ("host_metrics", "metrics"),
    "models": ("collect",),
    "records": ("find_run", "list_runs"),
    "runs": ("clean_hosts", "follow", "log_lines", "rescue_run", "stop_run"),
    "reports": ("report", "serve_report"),
    "reproductions": ("check_reproduction", "compare_runs", "reproduce"),
    "run_records": ("export_record", "read_record", "record_schema", "sign_record", "verify_record"),
    "scoring": ("score", "serve"),
    "transfer": ("load_images", "pull_image", "push_image", "save_as_sif", "save_images"),
    "verification": ("verify_image",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "build",
    "build_all",
    "build_image",
    "check_manifest",
    "check_manifests",
    "check_reproduction",
    "clean_hosts",
    "collect",
    "compare_images",
    "compare_runs",
    "connect_hosts",
    "convert_manifest",
    "create_lab",
    "disconnect_hosts",
    "doctor",
    "export_record",
    "find_run",
    "follow",
    "host_metrics",
    "image_details",
    "image_document",
    "image_licences",
    "launch",
    "launch_again",
    "list_buckets",
    "list_checkpoints",
    "list_frameworks",
    "list_images",
    "list_labs",
    "list_runs",
    "load_bundle",
    "load_images",
    "lock",
    "lock_images",
    "lock_states",
    "log_lines",
    "make_bundle",
    "manifest_schema",
    "metrics",
    "plan_launch",
    "pull_image",
    "push_image",
    "put_data",
    "read_hosts",
    "read_record",
    "record_schema",
    "remove_lab",
    "render_build",
    "report",
    "reproduce",
    "rescue_run",
    "run_checkpoint",
    "save_as_sif",
    "save_images",
    "score",
    "serve",
    "serve_report",
    "sign_record",
    "stop_run",
    "trust_hosts",
    "verify_image",
    "verify_record",
    "why_installed",
    "write_manifest",
]


def __getattr__(name: str) -> Any:
    """The function `name`, from its module."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"toolkit.api.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """All public names, loaded or not."""
    return sorted(__all__)
