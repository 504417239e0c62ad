"""An image's configuration: one form, whatever the builder wrote."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from toolkit.image.config import PATH, ImageConfig, base_config, settled_settings
from toolkit.image.layer import Layer


def test_the_image_id_is_the_sha256_of_the_text() -> None:
    config = base_config(Layer(Path("layer.tar"), "sha256:aa", "toolkit base"))
    assert config.image_id == f"sha256:{hashlib.sha256(config.text).hexdigest()}"
    assert json.loads(config.text) == {
        "architecture": "amd64",
        "config": {"Cmd": ["/bin/sh"], "Env": [PATH]},
        "created": "2020-01-01T00:00:00Z",
        "history": [{"created": "2020-01-01T00:00:00Z", "created_by": "toolkit base"}],
        "os": "linux",
        "rootfs": {"diff_ids": ["sha256:aa"], "type": "layers"},
    }


def test_what_two_builders_say_of_nothing_is_nothing() -> None:
    classic = {
        "Hostname": "3f2a", "Domainname": "", "User": "1000:1000", "AttachStdin": False, "Image": "sha256:bb",
        "Env": ["A=1"], "Cmd": ["/bin/sh"], "Volumes": None, "WorkingDir": "", "Entrypoint": None, "OnBuild": None,
        "Labels": {"toolkit.facts": "x", "toolkit.stage": "s"},
    }  # fmt: skip
    buildkit = {
        "User": "1000:1000", "Env": ["A=1"], "Cmd": ["/bin/sh"], "ArgsEscaped": True, "WorkingDir": "/",
        "Labels": {"toolkit.stage": "s", "toolkit.facts": "x"},
    }  # fmt: skip
    assert settled_settings(classic) == settled_settings(buildkit)
    assert settled_settings(classic) == {
        "User": "1000:1000",
        "Env": ["A=1"],
        "Cmd": ["/bin/sh"],
        "Labels": {"toolkit.facts": "x"},
    }


def test_another_layer_or_setting_is_another_image() -> None:
    one = ImageConfig({"Env": ["A=1"]}, ("sha256:aa",), ("x",))
    others = [
        ImageConfig({"Env": ["A=2"]}, ("sha256:aa",), ("x",)),
        ImageConfig({"Env": ["A=1"]}, ("sha256:ab",), ("x",)),
        ImageConfig({"Env": ["A=1"]}, ("sha256:aa", "sha256:bb"), ("x", "y")),
    ]
    assert len({config.image_id for config in (one, *others)}) == 4
