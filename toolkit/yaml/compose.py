"""YAML composed to nodes with positions, in which an alias is a separate scalar, so that the tree remains a tree."""

from __future__ import annotations

from typing import Any

import yaml

FAST_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml, where PyYAML was built with it."""
ALIAS_TAG = "alias"


def compose(text: str, *, fast: bool) -> yaml.Node | None:
    """The only document's node, None if it is empty; raises `yaml.YAMLError` and what PyYAML's own code raises.

    `fast`: from libyaml's events, several times as fast. Its errors have other words than PyYAML's own, which
    `toolkit.yaml.syntax` explains, and it accepts a little more.
    """
    loader: Any = _Fast if fast else _InPython
    node: yaml.Node | None = loader(text).get_single_node()
    return node


class _Aliases(yaml.composer.Composer):
    """Reports an alias where it occurs."""

    check_event: Any
    get_event: Any

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if not self.check_event(yaml.AliasEvent):
            node: yaml.Node | None = super().compose_node(parent, index)
            return node
        event = self.get_event()
        return yaml.ScalarNode(ALIAS_TAG, f"*{event.anchor}", event.start_mark, event.end_mark)


class _InPython(_Aliases, yaml.SafeLoader):
    pass


class _Fast(_Aliases, yaml.resolver.Resolver):
    def __init__(self, text: str) -> None:
        super().__init__()
        yaml.resolver.Resolver.__init__(self)
        parser = FAST_PARSER(text)
        self.check_event, self.get_event, self.peek_event = parser.check_event, parser.get_event, parser.peek_event
