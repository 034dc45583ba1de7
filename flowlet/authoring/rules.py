"""The two vocabularies of a task: when it may run (TriggerRule), what it weighs (WeightRule)."""

from __future__ import annotations

from enum import StrEnum


class TriggerRule(StrEnum):
    """What a task asks of its direct upstreams (Airflow: airflow/task/trigger_rule.py)."""

    ALL_SUCCESS = "all_success"
    ALL_FAILED = "all_failed"
    ALL_DONE = "all_done"
    ALL_DONE_MIN_ONE_SUCCESS = "all_done_min_one_success"
    ALL_DONE_SETUP_SUCCESS = "all_done_setup_success"
    ONE_SUCCESS = "one_success"
    ONE_FAILED = "one_failed"
    ONE_DONE = "one_done"
    NONE_FAILED = "none_failed"
    NONE_SKIPPED = "none_skipped"
    ALWAYS = "always"
    NONE_FAILED_MIN_ONE_SUCCESS = "none_failed_min_one_success"
    ALL_SKIPPED = "all_skipped"

    @classmethod
    def all_triggers(cls) -> set[str]:
        """The names of all rules."""
        return {rule.value for rule in cls}


class WeightRule(StrEnum):
    """How much of its neighbours' priority a task carries (Airflow: airflow/task/weight_rule.py)."""

    DOWNSTREAM = "downstream"
    UPSTREAM = "upstream"
    ABSOLUTE = "absolute"

    @classmethod
    def all_weight_rules(cls) -> set[str]:
        """The names of all rules."""
        return {rule.value for rule in cls}
