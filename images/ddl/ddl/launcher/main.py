"""The steps of ``ddlrun``, in order."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ddl.launcher.hosts import Host, probe, problems, read_host_file
from ddl.launcher.options import Options, UsageError, help_text, read_options
from ddl.launcher.plan import Plan, make_plan, mpirun_argv

_WRONG_USAGE, _UNFIT_HOST = 2, 3


def main(words: Sequence[str] | None = None) -> int:
    """Run `ddlrun`; returns the exit status."""
    try:
        options = read_options(sys.argv[1:] if words is None else words)
        if options.help:
            print(help_text())
            return 0
        return _run(options)
    except UsageError as error:
        return _say(f"error: {error}", _WRONG_USAGE)


def _run(options: Options) -> int:
    own = _read(options.rank_file) if options.rank_file else None
    hosts = () if own is not None else _hosts(options)
    problems_found = [] if options.skip_checks or own is not None else problems(hosts)
    if problems_found:
        return _say("\n".join(f"error: {problem}" for problem in problems_found), _UNFIT_HOST)
    plan = make_plan(options, hosts, own, os.environ)
    try:
        open_mpi = subprocess.run(["mpirun", "--version"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return _say("error: no mpirun in PATH\n  next: install Open MPI: apt-get install openmpi-bin", _UNFIT_HOST)
    with _rank_file(options, plan) as rank_file:
        argv = mpirun_argv(options, plan, rank_file, open_mpi.partition("\n")[0])
        if options.verbose:
            _show(hosts, plan)
        given = "".join(f"{name}={shlex.quote(value)} " for name, value in plan.environment.items())
        _say(f"ddlrun: {given}{shlex.join(argv)}")
        return 0 if options.dry_run else _run_mpirun(argv, {**os.environ, **plan.environment})


def _hosts(options: Options) -> tuple[Host, ...]:
    if options.host_file and options.hosts:
        raise UsageError("-H and --hostfile both name the hosts; give one of them")
    names = options.hosts or ("localhost",)
    if options.host_file:
        try:
            names = read_host_file(_read(options.host_file))
        except ValueError as error:
            raise UsageError(f"{options.host_file}: {error}") from None
    return tuple(map(Host, names)) if options.skip_checks else probe(names)


def _read(file: str) -> str:
    try:
        return Path(file).read_text()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None


@contextmanager
def _rank_file(options: Options, plan: Plan) -> Iterator[str]:
    """The rank file's path; a generated file is removed afterwards, except with ``--dry-run``, whose command needs
    it.
    """
    if plan.rank_file is None:
        yield str(options.rank_file)
        return
    with tempfile.NamedTemporaryFile("w", prefix="ddlrun-", suffix=".ranks", delete=not options.dry_run) as file:
        file.write(plan.rank_file)
        file.flush()
        yield file.name


def _run_mpirun(argv: list[str], environment: dict[str, str]) -> int:
    """Run mpirun to its end. Ctrl-C reaches it directly; SIGTERM is forwarded."""
    with subprocess.Popen(argv, env=environment) as process:
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        status = process.wait()
    return status if status >= 0 else 128 - status


def _show(hosts: Sequence[Host], plan: Plan) -> None:
    for host in hosts:
        gpus = f"{len(host.gpus)} GPUs" + (f" ({host.gpus[0]})" if host.gpus else "")
        _say(f"ddlrun: {host.name}: {host.machine}, {host.cores} cores, {gpus}, {host.mpirun}, {host.ddl}")
    _say("".join(f"ddlrun: {line}\n" for line in (plan.rank_file or "").splitlines()).rstrip())


def _say(text: str, status: int = 0) -> int:
    """Print one message on stderr: stdout belongs to the program."""
    if text:
        print(text, file=sys.stderr, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
