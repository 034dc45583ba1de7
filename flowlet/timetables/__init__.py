"""When: cron, intervals, presets, daylight saving.

Takes every moment as an argument; never reads the clock, a DAG or a file.
"""

from __future__ import annotations

from flowlet.timetables.aperiodic import ContinuousTimetable, NullTimetable, OnceTimetable
from flowlet.timetables.asked import AskedTicks, AskedTimetable
from flowlet.timetables.base import Interval, Timetable
from flowlet.timetables.cron_trigger import CronTriggerTimetable, MultipleCronTriggerTimetable
from flowlet.timetables.data_intervals import CronDataIntervalTimetable, DeltaDataIntervalTimetable
from flowlet.timetables.delta import DeltaTriggerTimetable
from flowlet.timetables.info import DagRunInfo, DataInterval, TimeRestriction
from flowlet.timetables.listed import EventsTimetable
from flowlet.timetables.reading import timetable_for, timetable_from_spec
from flowlet.timetables.window import LONG_AGO
from flowlet.timetables.zones import forget_zones

__all__ = [
    "LONG_AGO",
    "AskedTicks",
    "AskedTimetable",
    "ContinuousTimetable",
    "CronDataIntervalTimetable",
    "CronTriggerTimetable",
    "DagRunInfo",
    "DataInterval",
    "DeltaDataIntervalTimetable",
    "DeltaTriggerTimetable",
    "EventsTimetable",
    "Interval",
    "MultipleCronTriggerTimetable",
    "NullTimetable",
    "OnceTimetable",
    "TimeRestriction",
    "Timetable",
    "forget_zones",
    "timetable_for",
    "timetable_from_spec",
]
