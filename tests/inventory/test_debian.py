"""dpkg's records and Debian's control files."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from toolkit.inventory.debian import debian_packages, declared_licences, paragraphs, relations
from toolkit.inventory.model import UNNAMED_LICENCE, Contents, Need

from .conftest import COPYRIGHT


def test_a_field_goes_on_in_lines_that_are_indented() -> None:
    assert list(paragraphs("A: 1\n more\nb: x: y\n\n# said\nC:\n z\n")) == [{"a": "1\nmore", "b": "x: y"}, {"c": "\nz"}]


@given(st.text())
def test_any_text_can_be_read_as_paragraphs(text: str) -> None:
    assert all(fields for fields in paragraphs(text))


def test_relations_are_names_and_their_alternatives() -> None:
    assert relations("libc6 (>= 2.36), awk:any | mawk [amd64], ") == (("libc6",), ("awk", "mawk"))


def test_a_package_says_what_it_needs_and_what_it_is_made_from(contents: Contents) -> None:
    bash, mawk = contents.by_key["deb:bash:amd64"], contents.by_key["deb:mawk:amd64"]
    assert (bash.needs, bash.essential, bash.source) == ((Need(("libc6",)), Need(("awk",))), True, "bash")
    assert (mawk.needs, mawk.provides, mawk.essential) == ((Need(("libc6", "musl")),), ("awk",), False)


def test_licences_are_those_of_the_files_each_once() -> None:
    assert declared_licences(COPYRIGHT) == ("GPL-3+", "GFDL-NIV-1.3+")
    assert declared_licences(COPYRIGHT + "\n\nFiles: x\nLicense: GPL-3+\n") == ("GPL-3+", "GFDL-NIV-1.3+")


def test_a_copyright_file_for_people_declares_nothing() -> None:
    assert declared_licences("This is free software.\n\nFiles: *\nLicense: GPL-2\n") == ()
    assert declared_licences("") == ()


def test_a_licence_that_is_its_text_has_no_name() -> None:
    text = "Permission is hereby granted, free of charge, to any person obtaining a copy of it"
    assert declared_licences(f"Format: copyright-format/1.0\n\nFiles: *\nLicense: {text}\n") == (UNNAMED_LICENCE,)


def test_documentation_may_be_a_link_to_another_packages(contents: Contents) -> None:
    assert contents.by_key["deb:mawk:amd64"].licences == contents.by_key["deb:bash:amd64"].licences
    assert contents.by_key["deb:libc6:amd64"].licences == ()


def test_an_image_without_records_has_no_packages() -> None:
    assert list(debian_packages({}, {})) == []
