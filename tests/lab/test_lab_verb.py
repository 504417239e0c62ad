"""`toolkit lab`'s words."""

from __future__ import annotations

import pytest

from toolkit.cli.main import parser


def test_a_lab_is_called_lab_and_has_as_many_hosts_as_it_had() -> None:
    arguments = parser().parse_args(["lab", "up"])
    assert (arguments.verb, arguments.act, arguments.name, arguments.hosts) == ("lab", "up", "lab", None)


def test_name_number_and_form_are_asked_for() -> None:
    arguments = parser().parse_args(["lab", "up", "--hosts", "3", "--name", "mine", "--json"])
    assert (arguments.hosts, arguments.name, arguments.json) == (3, "mine", True)
    assert parser().parse_args(["lab", "down", "--name", "mine"]).name == "mine"
    assert parser().parse_args(["lab", "show"]).act == "show"


@pytest.mark.parametrize("words", [["lab"], ["lab", "up", "--hosts", "two"], ["lab", "down", "--hosts", "2"]])
def test_what_is_no_act_or_number_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(words)
    assert caught.value.code == 2
