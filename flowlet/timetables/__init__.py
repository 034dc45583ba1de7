"""When: cron, intervals, presets, daylight saving.

Takes every moment as an argument; never reads the clock, a DAG or a file.
"""

from __future__ import annotations

from flowlet.timetables.aperiodic import ContinuousTimetable, NullTimetable, OnceTimetable
from flowlet.timetables.base import Interval, Timetable
from flowlet.timetables.cron import CronTriggerTimetable
from flowlet.timetables.delta import DeltaTriggerTimetable
from flowlet.timetables.reading import timetable_for, timetable_from_spec
from flowlet.timetables.zones import forget_zones

__all__ = [
    "ContinuousTimetable",
    "CronTriggerTimetable",
    "DeltaTriggerTimetable",
    "Interval",
    "NullTimetable",
    "OnceTimetable",
    "Timetable",
    "forget_zones",
    "timetable_for",
    "timetable_from_spec",
]
