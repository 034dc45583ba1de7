"""What provider packages take from Airflow beside operators and hooks."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from flowlet.errors import FlowletError
from flowlet.worker.connections import Connection


def test_small_functions() -> None:
    from airflow.utils.helpers import exactly_one, merge_dicts, prune_dict  # type: ignore[import-not-found]
    from airflow.utils.module_loading import import_string, qualname  # type: ignore[import-not-found]
    from airflow.utils.strings import to_boolean  # type: ignore[import-not-found]

    assert merge_dicts({"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}, "c": 4}) == {"a": {"x": 1, "y": 3}, "b": 1, "c": 4}
    assert (exactly_one(1, None, 0), exactly_one(1, 2), exactly_one()) == (True, False, False)
    assert prune_dict({"a": None, "b": {"c": None, "d": 0}, "e": [None, 1]}) == {"b": {"d": 0}, "e": [1]}
    assert prune_dict({"a": 0, "b": 1}, mode="truthy") == {"b": 1}
    assert [to_boolean(text) for text in ("Yes", "on", "0", None)] == [True, True, False, False]
    assert import_string("pathlib.Path") is Path
    from airflow.lineage.hook import get_hook_lineage_collector  # type: ignore[import-not-found]

    assert get_hook_lineage_collector().add_extra(context=None, key="x", value=1) is None
    assert qualname(Path) == "pathlib.Path"
    for wrong in ("pathlib", "pathlib.Nothing"):
        with pytest.raises(ImportError):
            import_string(wrong)


def test_installed_packages_tell_their_hooks_and_dialects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers_manager import ProvidersManager  # type: ignore[import-not-found]

    (tmp_path / "acme_provider.py").write_text(
        dedent("""
        class AcmeHook:
            conn_name_attr = "acme_conn_id"
            def __init__(self, acme_conn_id, schema=None):
                self.about = (acme_conn_id, schema)

        def info():
            return {
                "package-name": "acme-provider",
                "connection-types": [{"connection-type": "acme", "hook-class-name": "acme_provider.AcmeHook"}],
                "dialects": [{"dialect-type": "acmesql", "dialect-class-name": "acme_provider.Dialect"}],
            }
        """)
    )
    about = tmp_path / "acme_provider-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-provider\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[apache_airflow_provider]\nprovider_info = acme_provider:info\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert ProvidersManager().hooks["acme"].hook_class_name == "acme_provider.AcmeHook"
    connection = Connection("mine", "acme://host")
    assert connection.get_hook(hook_params={"schema": "x"}).about == ("mine", "x")
    with pytest.raises(FlowletError, match="connection 'other' is of type 'none', for which no installed provider"):
        Connection("other", "none://host").get_hook()
    assert ProvidersManager().dialects["acmesql"].dialect_class_name == "acme_provider.Dialect"
