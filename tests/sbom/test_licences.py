"""Licences get an SPDX name where what is declared has one meaning only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from license_expression import get_spdx_licensing

from toolkit.inventory.model import UNNAMED_LICENCE, Package
from toolkit.sbom.licences import Licence, debian_name, joined, licence_of, spdx_name

TWO_CLASSIFIERS = ("License :: OSI Approved :: MIT License", "License :: OSI Approved :: ISC License (ISCL)")


@pytest.mark.parametrize(
    ("declared", "spdx"),
    [
        ("GPL-2", "GPL-2.0-only"),
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("GPL-1+", "GPL-1.0-or-later"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("LGPL-2+", "LGPL-2.0-or-later"),
        ("AGPL-3+", "AGPL-3.0-or-later"),
        ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
        ("GFDL-1.2", "GFDL-1.2-only"),
        ("Expat", "MIT"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("zlib", "Zlib"),
        ("Expat or GPL-2+", "MIT OR GPL-2.0-or-later"),
        ("Expat and Perl", "MIT AND (Artistic-1.0-Perl OR GPL-1.0-or-later)"),
        ("GPL-2.1", ""),
        ("GPL", ""),
        ("LGPL", ""),
        ("MIT", ""),
        ("Artistic", ""),
        ("public-domain", ""),
        ("GPL-1+ or Artistic", ""),
        ("GPL-3+ with Bison exception", ""),
        ("GPL-1+ or Artistic, and Expat", ""),
        (UNNAMED_LICENCE, ""),
    ],
)
def test_debians_names(declared: str, spdx: str) -> None:
    assert debian_name(declared) == spdx


@pytest.mark.parametrize(
    ("declared", "reported", "certain"),
    [
        (("Apache-2.0 OR BSD-2-Clause",), "Apache-2.0 OR BSD-2-Clause", True),
        (("mit",), "MIT", True),
        (("Apache License 2.0", "License :: OSI Approved :: Apache Software License"), "Apache-2.0", True),
        (("License :: OSI Approved :: MIT License",), "MIT", True),
        (("BSD", "License :: OSI Approved :: MIT License"), "MIT", True),
        (("License :: OSI Approved :: BSD License",), "BSD License", False),
        (TWO_CLASSIFIERS, "MIT License; ISC License (ISCL)", False),
        (("LicenseRef-Mine",), "LicenseRef-Mine", False),
        (("BSD",), "BSD", False),
        ((), "not declared", False),
    ],
)
def test_what_a_wheel_declares(declared: tuple[str, ...], reported: str, certain: bool) -> None:
    licence = licence_of(Package("python", "x", "1", licences=declared))
    assert (str(licence), licence.certain) == (reported, certain)


def test_one_word_that_is_not_certain_leaves_the_package_in_its_own_words() -> None:
    licence = licence_of(Package("deb", "x", "1", licences=("GPL-2+", "public-domain")))
    assert licence == Licence((("GPL-2+", "GPL-2.0-or-later"), ("public-domain", "")))
    assert (str(licence), licence.expression) == ("GPL-2+; public-domain", "")


def test_licences_that_hold_together_are_joined_each_once() -> None:
    assert joined(["MIT", "A OR B", "MIT AND ISC"]) == "MIT AND (A OR B) AND ISC"
    assert joined(["A OR B"]) == "A OR B"


@given(st.text(max_size=40) | st.sampled_from(["MIT and ", "GPL-2+ or", "(", "a AND", "GPL-2+ WITH x"]))
def test_whatever_is_declared_what_comes_out_is_an_spdx_expression_or_nothing(declared: str) -> None:
    for spdx in (debian_name(declared), spdx_name(declared)):
        assert not spdx or get_spdx_licensing().validate(spdx).errors == []
