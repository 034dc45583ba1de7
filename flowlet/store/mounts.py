"""On which kind of file system does a path stand?

A write-ahead log needs memory that all its users share and locks that work: a network file system has
neither (https://sqlite.org/wal.html, https://sqlite.org/faq.html#q5).
"""

from __future__ import annotations

import os
from pathlib import Path

_NETWORK = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.ceph", "fuse.cephfs", "fuse.glusterfs", "fuse.s3fs",
    "fuse.sshfs", "fuse.rclone", "gfs", "gfs2", "gpfs", "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "smb2",
    "smb3", "smbfs",
})  # fmt: skip
_DOUBTFUL = ("fuse", "overlay", "virtiofs", "vboxsf", "drvfs")

_MOUNTINFO = Path("/proc/self/mountinfo")


def file_system_of(path: str, mountinfo: Path = _MOUNTINFO) -> str | None:
    """The type of the file system below a real path, by proc_pid_mountinfo(5); None where that is not known."""
    try:
        lines = mountinfo.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    best, kind = -1, None
    for line in lines:
        fields, _, source = line.partition(" - ")
        place = _plain(fields.split()[4])
        # A later mount on the same place covers the earlier one.
        if len(place) >= best and _is_below(path, place):
            best, kind = len(place), source.split()[0]
    return kind


def is_network(kind: str | None) -> bool:
    """SQLite would damage the file there, sooner or later."""
    return kind in _NETWORK


def is_doubtful(kind: str | None) -> bool:
    """It depends on what lies below."""
    return kind is not None and kind.startswith(_DOUBTFUL) and kind not in _NETWORK


def _is_below(path: str, place: str) -> bool:
    return path == place or path.startswith(place.rstrip("/") + "/")


def _plain(place: str) -> str:
    """Space, tab, newline and backslash are written as octal escapes."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        place = place.replace(code, character)
    return os.fsdecode(place.encode("utf-8", "surrogateescape"))
