"""What a recorded run would run with here: its files of code, its data, its manifest as a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.run.document.sample import CODE_FILES, LISTED, document, manifest
from toolkit.agent.run_document import document_bytes
from toolkit.manifest.model import FolderReference, NfsReference
from toolkit.manifest.reader import read_manifest
from toolkit.manifest.write import canonical_data
from toolkit.run.comparison.here import code_beside, copy_code, data_now, manifest_file
from toolkit.run.document.model import read_document
from toolkit.run.plan.source_files import read_submitted

DOCUMENT = read_document(document_bytes(document()))


def test_the_recorded_manifest_becomes_a_file_that_says_the_same(tmp_path: Path) -> None:
    file = manifest_file(DOCUMENT, tmp_path)
    assert canonical_data(read_manifest(file)) == DOCUMENT.manifest
    assert file.stat().st_mode & 0o777 == 0o600
    other = DOCUMENT.model_copy(update={"manifest": {"another": 1}})
    assert manifest_file(other, tmp_path) != file == manifest_file(DOCUMENT, tmp_path)


def test_the_recorded_files_of_a_folder_are_its_code_and_nothing_else(tmp_path: Path) -> None:
    folder, target = tmp_path / "code", tmp_path / "copy"
    for name, data in {**CODE_FILES, "manifest.yml": b"x", "sub/more.py": b""}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "prepare.sh").chmod(0o755)
    (tmp_path / "secret").write_text("key")
    target.mkdir()
    assert sorted(copy_code(folder, LISTED, target)) == ["manifest.yml", "sub/more.py"]
    assert sorted(file.listed for file in read_submitted(target, "training-abcd2345").files) == sorted(LISTED)
    (folder / "train.py").unlink()
    (folder / "train.py").symlink_to(tmp_path / "secret")
    (target / "train.py").unlink()
    copy_code(folder, LISTED, target)
    assert [file.name for file in read_submitted(target, "training-abcd2345").files] == ["prepare.sh"]


def test_code_is_found_beside_a_record_in_a_crate_and_in_a_copy(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    assert code_beside(record) is None
    (tmp_path / "_submitted_code").mkdir()
    assert code_beside(record) == tmp_path / "_submitted_code"
    (tmp_path / "code").mkdir()
    assert code_beside(record) == tmp_path / "code"


def test_data_in_a_folder_is_listed_here_and_not_on_other_hosts(tmp_path: Path) -> None:
    (tmp_path / "digits").write_bytes(b"12345")
    there = replace(manifest(), training_data=FolderReference("data", str(tmp_path)))
    listing = data_now(there, None, on_hosts=False).listing
    assert listing and [(one.path, one.bytes) for one in listing.entries] == [("digits", 5)]
    assert data_now(there, None, on_hosts=True).not_listed == "it is a folder of other hosts"
    export = replace(there, training_data=NfsReference("data", "filer", "/digits"))
    for on_hosts in (True, False):
        said = data_now(export, None, on_hosts=on_hosts).not_listed
        assert said == "it is an NFS export, which only the hosts' learners mount"
