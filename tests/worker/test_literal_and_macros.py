"""`literal`, and macros and filters as templates use them (Airflow: TS:definitions/test_macros.py, test_templater.py)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jinja2 import Undefined

from flowlet import DAG, BashOperator, PythonOperator, literal
from flowlet.worker.accessors import MACROS

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def said(template: Any, **dag_arguments: Any) -> Any:
    """What a task that gets this as its argument returns."""
    with DAG("dag", **dag_arguments) as dag:
        PythonOperator(task_id="t", python_callable=lambda *args: args[0], op_args=[template])
    run = dag.test(logical_date=datetime(2026, 3, 4, 5, 6, tzinfo=UTC))
    assert run.state == "success", run.as_dict()
    return run.as_dict()["xcoms"].get("t:return_value")


def test_a_literal_is_handed_over_as_it_is() -> None:
    assert said(literal("{{ ds }}")) == "{{ ds }}"
    assert said({"deep": [literal("{{ nobody }}"), "{{ ds }}"]}) == {"deep": ["{{ nobody }}", "2026-03-04"]}
    with DAG("dag") as dag:
        BashOperator(task_id="t", bash_command=literal("echo script.sh '{{ ds }}'"))
    assert dag.test().as_dict()["xcoms"] == {"t:return_value": "script.sh {{ ds }}"}


@pytest.mark.parametrize(
    ("template", "becomes"),
    [
        ("{{ macros.ds_add(ds, -5) }}", "2026-02-27"),
        ("{{ macros.ds_format(ds, '%Y-%m-%d', '%d/%m/%y') }}", "04/03/26"),
        ("{{ macros.datetime(2026, 1, 2).year }} {{ (macros.datetime(2026, 1, 2) + macros.timedelta(days=1)) | ds }}", "2026 2026-01-03"),
        ("{{ macros.datetime_diff_for_humans(logical_date, logical_date + macros.timedelta(days=3)) }}", "3 days before"),
        ("{{ macros.json.dumps({'a': 1}) }}", '{"a": 1}'),
        ("{{ macros.uuid.UUID(int=5) }}", "00000000-0000-0000-0000-000000000005"),
        ("{{ macros.dateutil.parser.parse('1 May 2026') | ds }}", "2026-05-01"),
        ("{{ 0 <= macros.random() < 1 }} {{ macros.time.gmtime(0).tm_year }}", "True 1970"),
        ("{{ data_interval_end | ts }} {{ logical_date | ts_nodash_with_tz }}", "2026-03-04T05:06:00+00:00 20260304T050600+0000"),
        ("{{ ts }} {{ ts_nodash }} {{ ts_nodash_with_tz }}", "2026-03-04T05:06:00+00:00 20260304T050600 20260304T050600+0000"),
        ("{{ none | ds }}", "None"),
    ],
)
def test_macros_and_filters_in_templates(template: str, becomes: str) -> None:
    assert said(template) == becomes


def test_what_the_dag_brings() -> None:
    arguments: dict[str, Any] = {"user_defined_macros": {"greet": "hello {}".format}, "user_defined_filters": {"shout": str.upper}}
    assert said("{{ greet('you') | shout }}", **arguments) == "HELLO YOU"
    assert said("[{{ nobody }}]", template_undefined=Undefined) == "[]"
    assert said("{{ {'day': [ds]} }}", render_template_as_native_obj=True) == {"day": ["2026-03-04"]}
    assert said("{{ params.n }}", render_template_as_native_obj=True, params={"n": 5}) == 5


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (6.999988, "7 days after"), (13, "2 weeks after"), (24, "3 weeks after"), (25, "4 weeks after"), (30, "4 weeks after"),
        (31, "1 month after"), (59, "2 months after"), (330, "10 months after"), (364, "1 year after"), (365, "1 year after"),
        (540, "1 year after"), (700, "2 years after"), (-59, "2 months before"), (-364, "1 year before"), (-1 / 24, "1 hour before"),
    ],
)  # fmt: skip
def test_how_far_in_words_as_pendulum_has_it(days: float, words: str) -> None:
    """The words are those of Airflow 3.3.2's own macro for the same moments."""
    assert MACROS.datetime_diff_for_humans(NEW_YEAR + timedelta(days=days), NEW_YEAR) == words
