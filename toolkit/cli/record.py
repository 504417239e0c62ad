"""`toolkit record ACT`: show, verify, sign or export a run's public record; print its JSON Schema."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from toolkit.api.run_records import (
    differing,
    export_record,
    read_record,
    record_schema,
    sign_record,
    verify_record,
)
from toolkit.cli.host_stages import stage_lines
from toolkit.cli.output import human_size, print_json, progress_bar, say
from toolkit.cli.passphrase import ask_passphrase
from toolkit.plural import counted
from toolkit.run.document.model import RunDocument
from toolkit.run.records.stage_times import clocks_said


def run(arguments: argparse.Namespace) -> int:
    """Run one of the subcommands."""
    acts = {"show": _show, "verify": _verify, "sign": _sign, "export": _export, "schema": _schema}
    return acts[arguments.act](arguments)


def _show(arguments: argparse.Namespace) -> int:
    found = read_record(arguments.record)
    if arguments.json:
        print_json(found.values)
        return 0
    lines = ((name, text) for name, text in lines_of(found.document) if text)
    print("\n".join(f"{name:<11} {text}".replace("\n", f"\n{'':<11} ") for name, text in lines))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    with progress_bar() as report:
        found = verify_record(arguments.record, folder=arguments.folder, key=arguments.key, report=report)
    run_id = found.found.document.run.id
    if found.differences:
        raise differing(f"{found.found.source} does not match {found.place}", list(found.differences))
    if arguments.json:
        facts = {"run": run_id, "record": found.found.source, "results": found.place, "files": found.files}
        print_json({**facts, "not_here": found.not_here, "own_record": found.is_own, "signed": found.signed})
    say(f"{found.found.source}: the record of {run_id}")
    say(f"  {counted(found.files, 'file')} in {found.place}: each has the SHA-256 in the record")
    if found.not_here:
        say(f"  {counted(found.not_here, 'recorded file')} not collected, and not checked")
    if found.is_own:
        say("  the same as this machine recorded of the run")
    if found.signed:
        say("  record and model are signed with this key", "green")
    elif not found.is_own:
        say("  not signed: nothing says who wrote it (--key PUBLIC_KEY)", "yellow")
    return 0


def _sign(arguments: argparse.Namespace) -> int:
    words = {"passphrase": arguments.passphrase, "ask": ask_passphrase, "output": arguments.output}
    signed = sign_record(arguments.training_id, arguments.key, **words)
    if arguments.json:
        print_json(asdict(signed))
    say(f"record  {signed.statement}")
    if signed.model_signature:
        say(f"model   {signed.model_signature}")
    say(f"key     {signed.key_id}")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    with progress_bar() as report:
        words = {"folder": arguments.folder, "licence": arguments.licence}
        folder = export_record(arguments.record, arguments.output, **words, report=report)
    if arguments.json:
        print_json({"folder": str(folder)})
    say(f"{folder}  RO-Crate 1.1, profiles Process, Workflow and Provenance Run Crate 0.5")
    return 0


def _schema(_arguments: argparse.Namespace) -> int:
    print_json(record_schema())
    return 0


def lines_of(document: RunDocument) -> Iterator[tuple[str, str]]:
    """Facts of a record, one per line."""
    run, image, code, end, results = document.run, document.image, document.code, document.end, document.results
    yield "run", f"{run.id}  {run.name}"
    yield "state", f"{end.state.value}  {end.error_code} {end.what}".replace("   ", "  ")
    yield "reproduces", run.reproduces
    yield "image", f"{image.reference}  {image.id}"
    yield "lock", image.lock_sha256 and f"sha256 {image.lock_sha256}"
    yield "code", f"{counted(len(code.files), 'file')}  sha256 {code.sha256}"
    yield "data", f"{document.data.place}  {_listing(document)}"
    for host in document.hosts:
        facts = host.facts
        kernel = facts.kernel.removeprefix("Linux ")  # earlier versions recorded both
        known = (f"Linux {kernel}" if kernel else "", f"{facts.cpus} CPUs" if facts.cpus else "")
        memory = human_size(facts.memory) if facts.memory else ""
        said = ", ".join(filter(None, (*known, memory, *facts.gpus)))
        yield "host", f"{host.name or 'this machine'}  {said}".rstrip()
    for command, step in zip(document.commands, [*document.steps, *[None] * len(document.commands)], strict=False):
        status = f"status {step.exit_status}, {step.seconds:.1f} s" if step else "not started"
        yield f"command {command.number}", f"{command.command}  {status}"
    for stage, following in zip(document.stages, [*document.stages[1:], None], strict=False):
        took = f"  {following.at - stage.at:.1f} s" if following else ""
        yield stage.state.value.lower(), f"{datetime.fromtimestamp(stage.at, UTC):%Y-%m-%d %H:%M:%S}{took}"
    hosts = [one.value() for one in document.host_stages]
    for number, line in enumerate(stage_lines(hosts)):
        yield "" if number else "hosts", line
    yield "clocks", clocks_said(hosts)
    for line in end.evidence.splitlines():
        yield "evidence", line
    if document.metrics:
        yield "metrics", ", ".join(f"{name} {value}" for name, value in document.metrics.items())
    yield "results", f"{len(results.files) + results.omitted} files with a SHA-256"


def _listing(document: RunDocument) -> str:
    listing = document.data.listing
    if not listing:
        return f"not listed: {document.data.not_listed}"
    return f"{counted(listing.files, 'file')}, {human_size(listing.bytes)}  listing sha256 {listing.sha256}"
