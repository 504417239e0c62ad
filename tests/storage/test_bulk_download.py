"""The command line with which rclone downloads in bulk."""

from __future__ import annotations

from toolkit.storage.bulk_download import copy_argv

FLAGS = ["--inplace", "--ignore-checksum", "--use-server-modtime", "--no-update-modtime", "--retries", "1"]
STATS = ["--use-json-log", "--stats", "1s", "--stats-log-level", "NOTICE"]


def test_a_large_file_is_copied_by_its_own_key_and_the_disk_has_a_limit() -> None:
    assert copy_argv("bucket/prefix/run", [3 << 30]) == [
        *("rclone", "--config", "/run/private/rclone.conf", "--cache-dir", "/run/private/cache", "copy", *FLAGS),
        *("--transfers", "4", "--checkers", "4", "--max-transfer", f"{(3 << 30) + (64 << 20)}B"),
        *("--cutoff-mode", "HARD", *STATS, "--files-from-raw", "/run/private/wanted"),
        *("results,encoding=Raw:bucket/prefix/run", "/downloads"),
    ]


def test_small_files_are_copied_many_at_a_time() -> None:
    argv = copy_argv("b/run", [10_000] * 100)
    assert argv[argv.index("--transfers") + 1] == "16"
