"""Shipping's command lines as values, and how answers are read."""

from __future__ import annotations

from toolkit.runtimes.docker import Docker
from toolkit.runtimes.podman import Podman
from toolkit.shipping.hosts import ship_commands
from toolkit.shipping.hosts.ship_commands import There
from toolkit.storage.rclone_log import read_message, read_stats

QUIET = ["--config", "/run/private/none", "--cache-dir", "/run/private/cache"]
STATS = ["--use-json-log", "--stats", "1s", "--stats-log-level", "NOTICE"]
PAIR = "/run/private/pair.pem"
CLIENT = ["--ca-cert", PAIR, "--client-cert", PAIR, "--client-key", PAIR]


def test_a_relay_has_no_capability_and_serves_only_who_shows_the_pairs_certificate() -> None:
    assert ship_commands.start_relay(Docker(), "toolkit-ship-1", "ship-1", "img", "10.0.0.7") == [
        *("docker", "run", "--detach", "--rm", "--init", "--name", "toolkit-ship-1", "--label", "toolkit.run=ship-1"),
        *("--network", "host", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "4096"),
        *("--read-only",),
        *("--tmpfs", "/run/private:mode=0700", "--mount", "type=volume,target=/archive", "img", "sh", "-c"),
        'until [ -s "$1" ]; do sleep 0.05; done\nshift\nexec "$@"\n',
        *(
            "start",
            PAIR,
            "timeout",
            "7200",
            "rclone",
            "serve",
            "http",
            "/archive",
            "--addr",
            "10.0.0.7:0",
            "--read-only",
        ),
        *("--dir-cache-time", "1s", "--cert", PAIR, "--key", PAIR, "--client-ca", PAIR, "--min-tls-version", "tls1.3"),
        *QUIET,
    ]


def test_a_relay_that_feeds_no_one_listens_nowhere() -> None:
    argv = ship_commands.start_relay(Docker(), "toolkit-ship-1", "ship-1", "img", "")
    assert argv[-4:] == ["timeout", "7200", "sleep", "7200"]


def test_an_ipv6_address_stands_in_brackets_before_its_port() -> None:
    argv = ship_commands.start_relay(Docker(), "toolkit-ship-1", "ship-1", "img", "fd00::7")
    assert argv[argv.index("--addr") + 1] == "[fd00::7]:0"


def test_a_host_takes_the_archive_from_another_as_one_that_has_the_pair() -> None:
    head = ["rclone", "copyto", ":http:image", "/archive/image", "--http-url", "https://10.0.0.7:5"]
    assert ship_commands.fetch("https://10.0.0.7:5") == [*head, *CLIENT, *QUIET, *STATS]
    through = ["rclone", "cat", ":http:image", "--http-url", "https://10.0.0.7:5"]
    assert ship_commands.fetch_through("https://10.0.0.7:5") == [*through, *CLIENT, *QUIET, *STATS]


def test_what_a_container_prints_goes_into_the_engine_with_nothing_filled_in() -> None:
    assert Podman().load_image_from("a'b", ("cat", "$(reboot)")) == [
        *("sh", "-c", 'engine=$1 container=$2\nshift 2\n"$engine" exec "$container" "$@" | "$engine" load --quiet\n'),
        *("load", "podman", "a'b", "cat", "$(reboot)"),
    ]


def test_images_are_read_as_docker_and_as_podman_print_them() -> None:
    text = '{"id":"sha256:aa","names":["x:1","y:1"],"layers":["sha256:b"]}\nnoise\n'
    text += '{"id":"cc","names":null,"layers":null}\n'
    assert ship_commands.read_images(text) == (
        There("sha256:aa", ("x:1", "y:1"), ("sha256:b",)),
        There("sha256:cc", (), ()),
    )


def test_rclones_log_is_read_for_bytes_and_for_words() -> None:
    line = '{"level":"notice","msg":"\\nTransferred","stats":{"bytes":5,"totalBytes":9}}'
    assert read_stats(line) == (5, 9)
    assert read_stats('{"level":"error","msg":"no route"}') is None
    assert read_stats("open: no space left on device") is None
    assert read_message('{"level":"error","msg":"no route"}') == "no route"
    assert read_message("open: no space left on device") == "open: no space left on device"
