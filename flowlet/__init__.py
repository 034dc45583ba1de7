"""flowlet: Airflow's model inside one Python process.

One asyncio event loop, one SQLite file. The names below are the public ones; each is imported when it is
first used, so that `import flowlet` stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from flowlet.authoring.context import get_current_context as get_current_context
    from flowlet.authoring.dag import DAG as DAG
    from flowlet.authoring.dag_decorator import dag as dag
    from flowlet.authoring.edges import Label as Label
    from flowlet.authoring.edges import chain as chain
    from flowlet.authoring.edges import chain_linear as chain_linear
    from flowlet.authoring.edges import cross_downstream as cross_downstream
    from flowlet.authoring.group import TaskGroup as TaskGroup
    from flowlet.authoring.group_decorator import task_group as task_group
    from flowlet.authoring.literals import literal as literal
    from flowlet.authoring.operator import BaseOperator as BaseOperator
    from flowlet.authoring.params import Param as Param
    from flowlet.authoring.params import ParamsDict as ParamsDict
    from flowlet.authoring.rules import TriggerRule as TriggerRule
    from flowlet.authoring.rules import WeightRule as WeightRule
    from flowlet.authoring.setup_teardown import setup as setup
    from flowlet.authoring.setup_teardown import teardown as teardown
    from flowlet.authoring.triggers import BaseTrigger as BaseTrigger
    from flowlet.authoring.triggers import TriggerEvent as TriggerEvent
    from flowlet.authoring.xcom_arg import XComArg as XComArg
    from flowlet.engine.engine import Engine as Engine
    from flowlet.engine.loading import load as load
    from flowlet.engine.run import DagRun as DagRun
    from flowlet.errors import DagError as DagError
    from flowlet.errors import DagFileError as DagFileError
    from flowlet.errors import FailTask as FailTask
    from flowlet.errors import FlowletError as FlowletError
    from flowlet.errors import RunExists as RunExists
    from flowlet.errors import SkipTask as SkipTask
    from flowlet.errors import StoreOwned as StoreOwned
    from flowlet.executors.local import LocalExecutor as LocalExecutor
    from flowlet.executors.sequential import SequentialExecutor as SequentialExecutor
    from flowlet.operators.bash import BashOperator as BashOperator
    from flowlet.operators.branch import BaseBranchOperator as BaseBranchOperator
    from flowlet.operators.branch import BranchPythonOperator as BranchPythonOperator
    from flowlet.operators.decorators import task as task
    from flowlet.operators.empty import EmptyOperator as EmptyOperator
    from flowlet.operators.python import PythonOperator as PythonOperator
    from flowlet.operators.sensor import BaseSensorOperator as BaseSensorOperator
    from flowlet.operators.sensor import PokeReturnValue as PokeReturnValue
    from flowlet.operators.sensor import PythonSensor as PythonSensor
    from flowlet.operators.short_circuit import ShortCircuitOperator as ShortCircuitOperator
    from flowlet.runs.states import RunState as RunState
    from flowlet.runs.states import TaskState as TaskState
    from flowlet.runs.values import register_xcom_type as register_xcom_type
    from flowlet.timetables import CronDataIntervalTimetable as CronDataIntervalTimetable
    from flowlet.timetables import CronTriggerTimetable as CronTriggerTimetable
    from flowlet.timetables import DagRunInfo as DagRunInfo
    from flowlet.timetables import DataInterval as DataInterval
    from flowlet.timetables import DeltaDataIntervalTimetable as DeltaDataIntervalTimetable
    from flowlet.timetables import DeltaTriggerTimetable as DeltaTriggerTimetable
    from flowlet.timetables import EventsTimetable as EventsTimetable
    from flowlet.timetables import MultipleCronTriggerTimetable as MultipleCronTriggerTimetable
    from flowlet.timetables import TimeRestriction as TimeRestriction
    from flowlet.timetables import Timetable as Timetable
    from flowlet.worker.connections import BaseHook as BaseHook
    from flowlet.worker.connections import Connection as Connection
    from flowlet.worker.variables import Variable as Variable

_HOMES = {
    "BaseBranchOperator": "operators.branch",
    "BaseHook": "worker.connections",
    "BaseOperator": "authoring.operator",
    "BaseSensorOperator": "operators.sensor",
    "BaseTrigger": "authoring.triggers",
    "BashOperator": "operators.bash",
    "BranchPythonOperator": "operators.branch",
    "Connection": "worker.connections",
    "CronDataIntervalTimetable": "timetables",
    "CronTriggerTimetable": "timetables",
    "DAG": "authoring.dag",
    "DagError": "errors",
    "DagFileError": "errors",
    "DagRun": "engine.run",
    "DagRunInfo": "timetables",
    "DataInterval": "timetables",
    "DeltaDataIntervalTimetable": "timetables",
    "DeltaTriggerTimetable": "timetables",
    "EmptyOperator": "operators.empty",
    "Engine": "engine.engine",
    "EventsTimetable": "timetables",
    "FailTask": "errors",
    "FlowletError": "errors",
    "Label": "authoring.edges",
    "LocalExecutor": "executors.local",
    "MultipleCronTriggerTimetable": "timetables",
    "Param": "authoring.params",
    "ParamsDict": "authoring.params",
    "PokeReturnValue": "operators.sensor",
    "PythonOperator": "operators.python",
    "PythonSensor": "operators.sensor",
    "RunExists": "errors",
    "RunState": "runs.states",
    "SequentialExecutor": "executors.sequential",
    "ShortCircuitOperator": "operators.short_circuit",
    "SkipTask": "errors",
    "StoreOwned": "errors",
    "TaskGroup": "authoring.group",
    "TaskState": "runs.states",
    "TimeRestriction": "timetables",
    "Timetable": "timetables",
    "TriggerEvent": "authoring.triggers",
    "TriggerRule": "authoring.rules",
    "Variable": "worker.variables",
    "WeightRule": "authoring.rules",
    "XComArg": "authoring.xcom_arg",
    "chain": "authoring.edges",
    "chain_linear": "authoring.edges",
    "cross_downstream": "authoring.edges",
    "dag": "authoring.dag_decorator",
    "get_current_context": "authoring.context",
    "literal": "authoring.literals",
    "load": "engine.loading",
    "register_xcom_type": "runs.values",
    "setup": "authoring.setup_teardown",
    "task": "operators.decorators",
    "task_group": "authoring.group_decorator",
    "teardown": "authoring.setup_teardown",
}

__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604  all of them are strings


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'flowlet' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"flowlet.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
