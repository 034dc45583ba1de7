"""Files that say at the end of a line what is to be found there: `# error: unreachable`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from flowlet.checking.findings import Finding

EXPECTED = re.compile(r"# (error|warning|hint): ([\w-]+)$")


def expected(file: Path) -> Counter[tuple[str, str, int]]:
    """Level, kind and line of what the file says of itself."""
    lines = enumerate(file.read_text().splitlines(), start=1)
    return Counter((found[1], found[2], number) for number, line in lines if (found := EXPECTED.search(line)))


def told(findings: Sequence[Finding]) -> Counter[tuple[str, str, int]]:
    """The same of what was found."""
    return Counter((finding.level, finding.check, finding.line) for finding in findings)
