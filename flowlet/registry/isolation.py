"""A file executed as a module of its own: nothing of it is left behind when it fails.

Its module has a name made from its path, so that two files of one stem never meet, while what looks
modules up by name (dataclasses, pickle, inspect) finds it. The modules beside it import as they would
for a script, and those of one folder never stand in for those of another.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

#: Modules that DAG files imported from their own folders, by name: they stay for the bodies that run later.
_SIBLINGS: dict[str, ModuleType] = {}


def module_name(path: Path) -> str:
    """A name that no other file has: the same for the same path, in every process."""
    import hashlib

    digest = hashlib.blake2b(str(path).encode(errors="surrogateescape"), digest_size=6).hexdigest()
    return f"flowlet_dags_{digest}_{path.stem}"


@contextmanager
def executed(code: CodeType, path: Path) -> Iterator[ModuleType]:
    """Run a file's code as a module, which stays, in the place of an earlier one, if the body succeeds.

    Raises whatever the code raises; `sys.modules` and `sys.path` are then as they were.
    """
    module = _new_module(path)
    name = module.__name__
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        with _siblings_of(path.parent):
            exec(code, module.__dict__)  # noqa: S102  a DAG file is the user's own program
            yield module
    except BaseException:
        _restore(name, before)
        raise


def forget(path: Path) -> None:
    """Drop the module of a file that is no longer registered."""
    _restore(module_name(path), None)


def _restore(name: str, module: ModuleType | None) -> None:
    if module is None:
        sys.modules.pop(name, None)
    else:
        sys.modules[name] = module


def _new_module(path: Path) -> ModuleType:
    name = module_name(path)
    loader = SourceFileLoader(name, str(path))
    spec = ModuleSpec(name, loader, origin=str(path))
    spec.has_location = True
    module = ModuleType(name)
    module.__file__, module.__loader__, module.__spec__ = str(path), loader, spec
    return module


@contextmanager
def _siblings_of(folder: Path) -> Iterator[None]:
    """The folder comes first on `sys.path`, and other folders' siblings are out of sight, for a while."""
    search_path = list(sys.path)
    hidden = _hide_strangers(folder)
    known = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    except BaseException:
        for name in _siblings_beyond(known, folder):
            del sys.modules[name]  # read anew when the file is loaded again, perhaps because they were mended
        raise
    else:
        for name in _siblings_beyond(known, folder):
            _SIBLINGS.setdefault(name, sys.modules[name])
    finally:
        sys.path[:] = search_path
        sys.modules.update(hidden)


def _hide_strangers(folder: Path) -> dict[str, ModuleType]:
    """Take other folders' siblings out of `sys.modules`."""
    hidden = {
        name: module
        for name, module in _SIBLINGS.items()
        if sys.modules.get(name) is module and not _lies_in(module, folder)
    }
    for name in hidden:
        del sys.modules[name]
    return hidden


def _siblings_beyond(known: set[str], folder: Path) -> list[str]:
    """What was imported from the folder and was not there before."""
    return [
        name for name, module in list(sys.modules.items()) if name not in known and _lies_in(module, folder)
    ]


def _lies_in(module: object, folder: Path) -> bool:
    """The module's file is below the folder, and was not installed there (a virtual environment)."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return False
    path = Path(file)
    return path.is_relative_to(folder) and "site-packages" not in path.parts
