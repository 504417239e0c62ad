"""The last lines of ./check: how many tests passed, added up over the tox environments that ran.

    count_tests.py FOLDER STATUS

FOLDER holds one JUnit file per environment; STATUS is tox's own, which stays the verdict.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree


def count(file: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped tests of one JUnit file that pytest wrote here."""
    suites = ElementTree.parse(file).getroot().findall("testsuite")  # noqa: S314 - our own file
    total, bad, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites for name in names)
        for names in (("tests",), ("failures", "errors"), ("skipped",))
    )
    return total - bad - skipped, bad, skipped


def main(folder: str, status: str) -> int:
    """Print a line for each environment and the sum; tox's status, or 1 where no test ran at all."""
    counts = {file.stem: count(file) for file in sorted(Path(folder).glob("*.xml"))}
    for name, (passed, failed, skipped) in counts.items():
        print(f"{name}: {passed} passed, {failed} failed, {skipped} skipped")
    passed, failed, skipped = (sum(column) for column in zip(*counts.values(), strict=True)) if counts else (0, 0, 0)
    if status != "0":
        print("check: FAILED, see above")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return int(status) or int(passed == 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
