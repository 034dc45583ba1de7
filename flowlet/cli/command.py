"""What a command is."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from flowlet.named_tuple import NamedTuple

Arguments = Callable[[argparse.ArgumentParser], object]


class Command(NamedTuple):
    """One command: its words, the function that carries it out, what it is for, its arguments, its JSON,
    and lines to try.
    """

    words: str
    target: str
    help: str
    arguments: Arguments
    json: str
    examples: tuple[str, ...]
