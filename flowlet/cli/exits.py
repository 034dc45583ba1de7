"""Exit statuses, and the sentence with which a command gives up."""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
OWNED = 3
UNFIT = 4
BUG = 70  # EX_SOFTWARE of sysexits.h
OUTPUT = 74  # EX_IOERR
INTERRUPTED = 130

TABLE = """\
exit status:
  0    done; for `run`: the run succeeded
  1    the run failed; `check`, `db check` or `doctor` found something wrong
  2    the command, or what it names, is wrong: an option, a file of DAGs, an id, a setting
  3    another process owns the database, or its owner does not answer
  4    the database is missing, damaged, not flowlet's, of a newer version, or cannot be written
  70   a bug in flowlet (FLOWLET_DEBUG=1 shows where)
  74   the result could not be written to standard output, a full disk for instance
  130  interrupted (Ctrl-C); in general 128 + N: by signal N"""


_KINDS = {USAGE: "UsageError", OWNED: "StoreOwned", UNFIT: "StoreUnfit", OUTPUT: "OutputLost", INTERRUPTED: "Interrupted"}


class CommandError(Exception):
    """A command cannot go on: one line for people, the exit status, and for `--json` its kind and facts."""

    def __init__(self, text: str, status: int = USAGE, *, kind: str | None = None, **facts: object) -> None:
        self.status = status
        self.kind = kind or _KINDS.get(status, "CommandError")
        self.facts = facts
        super().__init__(text)



def output_lost(error: OSError) -> CommandError:
    """Nobody will ever read the result."""
    return CommandError(f"standard output cannot be written: {error.strerror or error}", OUTPUT)


def ended_by(signal: int) -> int:
    """What a process that a signal ended gives, as shells have it (bash(1), EXIT STATUS)."""
    return 128 + signal
