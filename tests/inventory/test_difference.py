"""What changed from one image to another."""

from __future__ import annotations

from dataclasses import replace

from toolkit.inventory.difference import (
    ADDED,
    CHANGED,
    REMOVED,
    FileGroup,
    PackageChange,
    SettingChange,
    differences,
)
from toolkit.inventory.model import Contents

from .conftest import SAMPLE, SITE, metadata, read


def without(*parts: str) -> dict[str, str]:
    return {name: text for name, text in SAMPLE.items() if not any(part in name for part in parts)}


def test_an_image_does_not_differ_from_itself(contents: Contents) -> None:
    assert differences(contents, contents, {"User": "1"}, {"User": "1"}, 0).nothing


def test_a_new_version_is_one_change_with_its_files(contents: Contents) -> None:
    files = without("rich-15", "bin/rich", "_vendor")
    files[f"{SITE}/rich-16.dist-info/METADATA"] = metadata("rich", "16")
    found = differences(contents, read(files), {}, {}, 0)
    grown = sum(package.size for package in read(files).packages if package.name == "rich") - sum(
        package.size for package in contents.packages if package.name == "rich"
    )
    assert PackageChange("python", "rich", ("15.0.0",), ("16",), grown) in found.packages
    assert [group for group in found.files if group.name == "rich"] == []
    assert [(change.what, change.name, change.carried_by) for change in found.packages] == [
        (CHANGED, "rich", ""),
        (REMOVED, "six", "rich"),
    ]


def test_an_added_package_is_reported_with_its_size(contents: Contents) -> None:
    (change,) = differences(read(without("keras")), contents, {}, {}, 0).packages
    assert (change.what, change.old, change.new) == (ADDED, (), ("3.15.1",))
    assert change.grown == contents.by_key[f"python:keras:/{SITE}"].size


def test_files_of_a_package_that_kept_its_version_are_counted(contents: Contents) -> None:
    other = read({**SAMPLE, "usr/bin/bash": "another shell"})
    assert differences(contents, other, {}, {}, 8).files == (
        FileGroup("deb", "bash", (("/usr/bin/bash", CHANGED),), 8),
    )


def test_files_of_no_package_are_reported_by_folder(contents: Contents) -> None:
    files = {**without("motd"), "srv/a/b/c/d/e": "12345", "top": "1"}
    found = differences(contents, read(files), {}, {}, 0).files
    assert found == (
        FileGroup("", "/", (("/top", ADDED),), 1),
        FileGroup("", "/etc", (("/etc/motd", REMOVED),), -5),
        FileGroup("", "/srv/a/b", (("/srv/a/b/c/d/e", ADDED),), 5),
    )


def test_a_mode_is_a_change(contents: Contents) -> None:
    motd = contents.files["/etc/motd"]
    other = replace(contents, files={**contents.files, "/etc/motd": replace(motd, mode=0o600)})
    (group,) = differences(contents, other, {}, {}, 0).files
    assert (group.files, group.count(CHANGED), group.grown) == ((("/etc/motd", CHANGED),), 1, 0)


def test_settings_are_compared_one_by_one(contents: Contents) -> None:
    old = {
        "Env": ["PATH=/bin", "A=1"],
        "User": "0",
        "Cmd": ["a", "b"],
        "Labels": {"x": "1", "toolkit.inputs.sha256": "q"},
    }
    new = {
        "Env": ["PATH=/usr/bin:/x=y"],
        "User": "0",
        "Labels": {"toolkit.inputs": "lock=1 /a/b=2", "toolkit.recipe": '{"requirements":["a==1","b"]}'},
    }
    assert differences(contents, contents, old, new, 0).settings == (
        SettingChange("Cmd", "a b", ""),
        SettingChange("input /a/b", "", "2"),
        SettingChange("input lock", "", "1"),
        SettingChange("label x", "1", ""),
        SettingChange("recipe requirements", "", "a==1 b"),
        SettingChange("variable A", "1", ""),
        SettingChange("variable PATH", "/bin", "/usr/bin:/x=y"),
    )


def test_a_folder_that_came_with_its_files_is_not_reported_and_an_empty_one_is(contents: Contents) -> None:
    folder = contents.files["/opt"]
    file = contents.files["/etc/motd"]
    other = replace(
        contents, files={**contents.files, "/srv": folder, "/srv/a": folder, "/srv/a/b": file, "/void": folder}
    )
    found = [path for group in differences(contents, other, {}, {}, 0).files for path, _ in group.files]
    assert found == ["/void", "/srv/a/b"]
