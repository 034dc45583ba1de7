"""Template fields: what is rendered, where, how often, and what is left alone."""

from __future__ import annotations

import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlet import DAG, BaseOperator, PythonOperator
from flowlet.worker.rendering import Renderer, needs, plan_rendering
from flowlet.worker.workload import Outcome

Run = Callable[..., Outcome]
Pair = namedtuple("Pair", "a b")  # noqa: PYI024  a namedtuple is what is tested


class Shape:
    template_fields = ("text", "absent")

    def __init__(self, text: Any) -> None:
        self.text = text
        self.plain = text


class Shower(BaseOperator):
    """Keeps what its field was rendered to."""

    template_fields: ClassVar = ("value",)
    template_ext: ClassVar = (".sql",)
    shown: ClassVar[list[Any]] = []

    def __init__(self, *, value: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value

    def execute(self, context: Any) -> None:
        Shower.shown.append(self.value)


@pytest.fixture
def rendered(run: Run) -> Callable[..., Any]:
    """What a value in a template field becomes."""

    def rendered(value: Any, *, conf: Any = None, searchpath: Any = None, **dag_arguments: Any) -> Any:
        Shower.shown.clear()
        with DAG("dag", template_searchpath=searchpath, **dag_arguments) as dag:
            Shower(task_id="body", value=value)
        outcome = run(dag, conf=conf)
        if outcome.exception is not None:
            raise outcome.exception
        assert dag.get_task("body").value is value  # a Shower
        return Shower.shown[0]

    return rendered


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ("{{ ds }}", "2026-01-01"),
        ("at {{ ds_nodash }} in {{ run_id }}", "at 20260101 in run"),
        ("{% if true %}yes{% endif %}", "yes"),
        ("{# nothing #}", ""),
        (["{{ ds }}", 1, None], ["2026-01-01", 1, None]),
        (("{{ ds }}",), ("2026-01-01",)),
        ({"k": "{{ ds }}", "{{ ds }}": 1}, {"k": "2026-01-01", "{{ ds }}": 1}),
        ({"{{ ds }}"}, {"2026-01-01"}),
        (frozenset({"{{ ds }}"}), frozenset({"2026-01-01"})),
        (Pair("{{ ds }}", 1), Pair("2026-01-01", 1)),
        ([{"deep": ({"er": "{{ ds }}"},)}], [{"deep": ({"er": "2026-01-01"},)}]),
        ("{{ logical_date | ds }} {{ logical_date | ts }}", "2026-01-01 2026-01-01T00:00:00+00:00"),
        ("{{ logical_date | ds_nodash }} {{ logical_date | ts_nodash }}", "20260101 20260101T000000"),
        ("{{ logical_date | ts_nodash_with_tz }}", "20260101T000000+0000"),
        ("{{ macros.ds_add(ds, 5) }}", "2026-01-06"),
        ("{{ ti.task_id }}/{{ dag.dag_id }}/{{ task.task_id }}", "body/dag/body"),
        ("{{ dag_run.conf.get('x', 'none') }}", "none"),
        ("no braces", "no braces"),
        ("", ""),
        (7, 7),
        (None, None),
        (b"{{ ds }}", b"{{ ds }}"),
    ],
)
def test_rendering(rendered: Callable[..., Any], value: Any, becomes: Any) -> None:
    result = rendered(value)
    assert result == becomes
    assert type(result) is type(becomes)


def test_objects_with_template_fields_are_rendered_on_a_copy(rendered: Callable[..., Any]) -> None:
    shape = Shape("{{ ds }}")
    result = rendered([shape])[0]
    assert (result.text, result.plain, shape.text) == ("2026-01-01", "{{ ds }}", "{{ ds }}")


@pytest.mark.parametrize("attack", ["{{ 7 * 7 }}", "{% for x in y %}", "{{ ''.__class__ }}", "{# #}", "{{"])
def test_values_are_data_and_never_rendered(
    rendered: Callable[..., Any], run: Run, xcoms: Any, attack: str
) -> None:
    assert rendered("{{ dag_run.conf.x }}", conf={"x": attack}) == attack
    assert rendered("{{ params.x }}", conf={"x": attack}) == attack
    xcoms.put("up", attack)
    with DAG("dag") as dag:
        up = PythonOperator(task_id="up", python_callable=print)
        PythonOperator(
            task_id="body",
            python_callable=lambda x, y: [x, y],
            op_args=[up.output, "{{ ti.xcom_pull('up') }}"],
        )
    assert run(dag).xcoms[0][1].count(attack.replace('"', '\\"')) == 2


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__ }}",
        "{{ dag.__init__.__globals__ }}",
        "{{ ti.xcom_pull.__globals__ }}",
        "{{ ''.format.__self__ }}",
        "{{ ('a' | attr('format')).__func__ }}",
        "{{ macros.json.codecs.builtins.__import__('os') }}",
    ],
)
def test_the_sandbox_keeps_internals_closed(rendered: Callable[..., Any], template: str) -> None:
    from jinja2.exceptions import SecurityError, UndefinedError

    with pytest.raises((SecurityError, UndefinedError)):
        rendered(template)


def test_an_undefined_name_is_an_error_unless_the_dag_says_otherwise(rendered: Callable[..., Any]) -> None:
    from jinja2 import Undefined
    from jinja2.exceptions import UndefinedError

    with pytest.raises(UndefinedError, match="'nowhere' is undefined"):
        rendered("{{ nowhere }}")
    assert rendered("[{{ nowhere }}]", template_undefined=Undefined) == "[]"


def test_macros_and_filters_of_the_user(rendered: Callable[..., Any]) -> None:
    given = {
        "user_defined_macros": {"hello": lambda name: f"hi {name}"},
        "user_defined_filters": {"twice": lambda x: x * 2},
    }
    assert rendered("{{ hello('you') | twice }}", **given) == "hi youhi you"


def test_native_objects(rendered: Callable[..., Any]) -> None:
    assert rendered("{{ [1, 2] }}") == "[1, 2]"
    assert rendered("{{ [1, 2] }}", render_template_as_native_obj=True) == [1, 2]


@pytest.mark.parametrize(
    ("text", "native", "plain"),
    [("5", 5, "5"), ("[1, 2]", [1, 2], "[1, 2]"), ("None", None, "None"), ("word", "word", "word"), ("2026-01-15", "2026-01-15", "2026-01-15")],
)
def test_a_native_text_is_read_as_a_literal_also_where_nothing_is_filled_in(
    rendered: Callable[..., Any], text: str, native: object, plain: str
) -> None:
    assert rendered(text, render_template_as_native_obj=True) == native
    assert rendered(text) == plain


def test_the_newline_at_the_end_of_a_text_is_taken_away_as_jinja_does(rendered: Callable[..., Any]) -> None:
    assert rendered("one\r\ntwo\n") == "one\ntwo"
    assert rendered("one\n\n") == "one\n"
    assert rendered("one\r\ntwo") == "one\ntwo"


def test_a_file_is_found_by_its_ending_in_the_search_path(
    rendered: Callable[..., Any], tmp_path: Path
) -> None:
    from jinja2.exceptions import TemplateNotFound

    (tmp_path / "query.sql").write_text("select '{{ ds }}'")
    (tmp_path / "outer.sql").write_text("{% include 'query.sql' %};")
    path = str(tmp_path)
    assert rendered("query.sql", searchpath=path) == "select '2026-01-01'"
    assert rendered(["outer.sql", "query.sql "], searchpath=[path]) == ["select '2026-01-01';", "query.sql "]
    for outside in ("missing.sql", "../query.sql", "/etc/passwd.sql"):
        with pytest.raises(TemplateNotFound):
            rendered(outside, searchpath=path)


def test_an_edited_file_is_read_again(rendered: Callable[..., Any], tmp_path: Path) -> None:
    import os

    file = tmp_path / "query.sql"
    with DAG("dag", template_searchpath=str(tmp_path)) as dag:
        operator = Shower(task_id="body", value="query.sql")
    plan = plan_rendering(operator)
    assert plan is not None
    for second, text in enumerate(("one", "two")):
        file.write_text(text)
        os.utime(file, (second, second))
        copy = operator.copy_for_attempt()
        plan.render(copy, dag, {})
        assert copy.value == text


def test_where_nothing_is_to_be_rendered_nothing_is_done() -> None:
    plain: Any = [1, "text", {"a": ("b", None)}, Shape("text"), b"{", 1.5]
    with DAG("dag"):
        assert plan_rendering(Shower(task_id="body", value=plain)) is None
        assert plan_rendering(Shower(task_id="other", value="{")) is not None


leaves = st.none() | st.integers() | st.text(alphabet="ab {%") | st.binary(max_size=3)
anything = st.recursive(
    leaves,
    lambda x: st.lists(x) | st.dictionaries(st.text(max_size=2), x) | st.lists(x).map(tuple),
    max_leaves=8,
)


@given(anything)
def test_a_renderer_without_templates_gives_the_very_same_object(value: Any) -> None:
    assert Renderer({}, None).render(value) is value


@given(anything)
def test_what_has_no_brace_needs_nothing(value: Any) -> None:
    assert bool(needs(value)) == _has_brace(value)


def _has_brace(value: Any) -> bool:
    if isinstance(value, str):
        return "{" in value
    if isinstance(value, dict):
        return any(map(_has_brace, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_has_brace, value))


def test_jinja_is_imported_for_a_template_only() -> None:
    story = """
import sys
from flowlet import DAG, task
with DAG("dag") as dag:
    @task
    def up(): return 1
    @task
    def down(x, word="no template"): return x
    down(up())
assert dag.test().state == "success"
assert "jinja2" not in sys.modules, "jinja2"
"""
    subprocess.run([sys.executable, "-c", story], check=True, timeout=60)
