"""Which names Airflow's modules have, and where flowlet keeps each: two tables and the look-up.

Sources: the public names of `airflow.sdk` 1.3 and of the standard provider 1.21, the deprecation tables of
Airflow 2 and 3 (`airflow/__init__.py`, `airflow/utils/deprecation_tools.py`) for the old paths.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from flowlet.airflow.modules import MODULES

VERSION = "3.3.2"
"""The Airflow whose names and rules these are."""

ABSENT = object()

#: Room: names, each `AirflowsName` or `AirflowsName=FlowletsName`. A leading dot is the package.
_HOMES = """
.authoring.context: context_merge Context KNOWN_CONTEXT_KEYS=CONTEXT_KEYS get_current_context XCOM_RETURN_KEY=RETURN_KEY
.authoring.assets: Asset Dataset AssetWatcher AssetRef Model AssetAlias DatasetAlias=AssetAlias AssetAll DatasetAll=AssetAll
.authoring.assets: AssetAny DatasetAny=AssetAny AssetAccessControl Metadata
.authoring.calls: determine_kwargs
.authoring.dag: DAG
.authoring.dag_decorator: dag
.authoring.edges: EdgeModifier Label chain chain_linear cross_downstream
.authoring.group: TaskGroup
.authoring.group_decorator: task_group
.authoring.operator: BaseOperator AbstractOperator=BaseOperator Operator=BaseOperator BaseAsyncOperator=BaseOperator
.authoring.params: Param ParamsDict NOTSET ArgNotSet=NOTSET
.authoring.priority: PriorityWeightStrategy
.authoring.retry_policy: RetryPolicy RetryAction RetryDecision RetryRule ExceptionRetryPolicy
.authoring.rules: TriggerRule WeightRule
.authoring.literals: literal
.authoring.triggers: BaseTrigger BaseEventTrigger TriggerEvent TaskSuccessEvent TaskFailedEvent TaskSkippedEvent TaskDeferred
.operators.triggers: DateTimeTrigger TimeDeltaTrigger FileTrigger FileDeleteTrigger DirectoryFileDeleteTrigger
.authoring.mapped: MappedOperator DecoratedMappedOperator=MappedOperator
.authoring.setup_teardown: setup teardown
.authoring.xcom_arg: XComArg PlainXComArg=XComArg
.airflow.classes: get_parsing_context poke_mode_only AirflowPlugin BaseOperatorLink LoggingMixin apply_defaults
.airflow.configuration: conf
.airflow.dagbag: DagBag
.airflow.dates: days_ago cron_presets
.airflow.names: version=VERSION
.operators.providers: ProvidersManager
.airflow.small: Stats hookimpl patch_environ execute_in_subprocess chunks convert_camel_to_snake md5 DEFAULT_OWNER DEFAULT_QUEUE
.airflow.small: AIRFLOW_V_3_0_PLUS=SURE AIRFLOW_V_3_1_PLUS=SURE AIRFLOW_V_3_2_PLUS=SURE AIRFLOW_V_3_3_PLUS=SURE AIRFLOW_V_3_4_PLUS=UNSURE
.airflow.small: get_hook_lineage_collector merge_dicts exactly_one prune_dict to_boolean getuser import_string qualname is_valid_dotpath iter_namespace
.airflow.states: State TaskInstanceState DagRunState JobState
.airflow.timezone: utc utcnow is_localized is_naive make_aware make_naive convert_to_utc coerce_datetime parse datetime
.errors: AirflowException=FlowletError AirflowSkipException=SkipTask AirflowFailException=FailTask
.errors: AirflowSensorTimeout=SensorTimeout AirflowTaskTimeout=TaskTimeout AirflowBadRequest=FlowletError
.errors: AirflowDagCycleException=DagCycle DuplicateTaskIdFound=DuplicateTaskId ParamValidationError=ParamError
.errors: AirflowDagDuplicatedIdException=DuplicateDagId DagNotFound DagRunNotFound=RunNotFound TaskNotFound
.errors: PoolNotFound XComNotFound DagRunAlreadyExists=RunExists AirflowTimetableInvalid=TimetableError
.errors: AirflowNotFoundException=ConnectionNotFound AirflowRuntimeError=FlowletError SerializationError=XComError
.errors: XComForMappingNotPushed UnmappableXComTypePushed UnmappableXComLengthPushed
.errors: TaskDeferralError TaskDeferralTimeout
.errors: NodeNotFound=TaskNotFound TaskInstanceNotFound=TaskNotFound DagCodeNotFound=DagNotFound
.errors: TaskAlreadyInTaskGroup=DagError FailFastDagInvalidTriggerRule=DagError
.errors: AirflowOptionalProviderFeatureException=FlowletError
.operators.asset_decorator: asset
.operators.bash: BashOperator
.operators.branch: BaseBranchOperator BranchMixIn BranchPythonOperator
.operators.decorated: DecoratedOperator task_decorator_factory SET_DURING_EXECUTION
.operators.decorators: task TaskDecorator TaskDecoratorCollection=TaskDecorators
.operators.empty: EmptyOperator DummyOperator=EmptyOperator
.operators.notifier: BaseNotifier
.operators.python: PythonOperator
.operators.sensor: BaseSensorOperator PokeReturnValue PythonSensor
.operators.bash_sensor: BashSensor
.operators.branch_datetime: BranchDateTimeOperator target_times_as_dates
.operators.external_task: ExternalTaskSensor ExternalTaskMarker
.operators.trigger_dagrun: TriggerDagRunOperator
.operators.external_python: ExternalPythonOperator BranchExternalPythonOperator
.operators.virtualenv: PythonVirtualenvOperator BranchPythonVirtualenvOperator
.operators.file_sensor: FileSensor
.operators.mail: EmailOperator send_email send_email_smtp=send_email build_mime_message=message_of get_email_address_list=addresses
.operators.hitl: ApprovalOperator HITLOperator HITLBranchOperator HITLEntryOperator
.operators.latest_only: LatestOnlyOperator
.operators.smooth: SmoothOperator
.operators.time_sensors: DateTimeSensor DateTimeSensorAsync TimeSensor TimeSensorAsync
.operators.time_sensors: TimeDeltaSensor TimeDeltaSensorAsync WaitSensor
.operators.weekday: BranchDayOfWeekOperator DayOfWeekSensor WeekDay
.operators.resumable: ResumableJobMixin
.operators.short_circuit: ShortCircuitOperator
.operators.skipping: SkipMixin
.runs.states: DagRunType=RunType
.settings: AirflowConfigException=SettingError
.timetables: CronDataIntervalTimetable DeltaDataIntervalTimetable MultipleCronTriggerTimetable EventsTimetable
.timetables: Timetable DagRunInfo DataInterval TimeRestriction
.timetables.partition_mappers: AllowedKeyMapper ChainMapper FanOutMapper FixedKeyMapper IdentityMapper PartitionMapper
.timetables.partition_mappers: ProductMapper RollupMapper StartOfDayMapper StartOfHourMapper StartOfMonthMapper
.timetables.partition_mappers: StartOfQuarterMapper StartOfWeekMapper StartOfYearMapper
.timetables.partition_windows: Window DayWindow HourWindow MonthWindow QuarterWindow SegmentWindow WeekWindow YearWindow
.timetables.partition_windows: MinimumCount WaitForAll
.timetables.partitions: CronPartitionTimetable PartitionedAssetTimetable PartitionedAtRuntime
.timetables.assets: AssetOrTimeSchedule DatasetOrTimeSchedule=AssetOrTimeSchedule
.timetables: CronTriggerTimetable DeltaTriggerTimetable NullTimetable OnceTimetable ContinuousTimetable
.timetables: CronDataIntervalTimetable DeltaDataIntervalTimetable MultipleCronTriggerTimetable EventsTimetable
.timetables: Timetable DagRunInfo DataInterval TimeRestriction
.worker.backends: BaseSecretsBackend
.worker.connections: BaseHook Connection
.worker.environment: context_to_airflow_vars
.worker.hooks: FSHook SubprocessHook SubprocessResult
.worker.xcom: XCom BaseXCom=XCom
.worker.context: DagRun=ContextDagRun
.worker.macros: ds_add ds_format ds_format_locale datetime_diff_for_humans
.worker.secrets: mask_secret redact
.worker.task_instance: TaskInstance=RuntimeTaskInstance RuntimeTaskInstance TaskInstanceKey
.worker.state_stores: NEVER_EXPIRE TaskStateStoreAccessor=TaskStateStore AssetStateStoreAccessor=AssetStateStore
.worker.state_stores: AssetStateStoreAccessors=AssetStateStores
.worker.variables: Variable
builtins: RemovedInAirflow3Warning=DeprecationWarning RemovedInAirflow4Warning=DeprecationWarning
builtins: AirflowProviderDeprecationWarning=DeprecationWarning
typing: TaskStateChangeCallback=Any
"""

#: What flowlet does not have, by the feature that would bring it: said when one of these is imported.
_LATER = {
    "more triggers": "WorkflowTrigger DagStateTrigger"
    " StartTriggerArgs",
    "deadlines": "DeadlineAlert DeadlineReference BaseDeadlineReference deadline_reference AsyncCallback SyncCallback",
    "object storage": "ObjectStoragePath attach get_fs has_fs Properties _BUILTIN_SCHEME_TO_FS",
    "a metadata database, which there is none of": "provide_session create_session Session NEW_SESSION Base DagModel"
    " DagTag Log Job ID_LEN RenderedTaskInstanceFields TaskReschedule Team Trigger DagWarning DbCallbackRequest"
    " Callback Deadline HITLDetail clear_task_instances",
    "tracing and metrics": "Trace",
    "lineage": "AssetLineageInfo HookLineage HookLineageCollector HookLineageReader NoOpCollector",
}


def is_module(path: str) -> bool:
    """Whether a module of that name is in the tables."""
    return path in MODULES


def find(module: str, name: str) -> Any:
    """The flowlet thing of that name; ABSENT if there is none in that module of Airflow's."""
    if name not in MODULES[module]:
        return ABSENT
    home = _homes().get(name)
    if home is None:
        return ABSENT
    room, own = home
    if room.startswith("."):
        room = f"flowlet{room}"
    return getattr(import_module(room), own)


def available(module: str) -> list[str]:
    """The names of the module that flowlet has."""
    homes = _homes()
    return sorted(name for name in MODULES[module] if name in homes)


def why_missing(path: str, place: str) -> str:
    """One line about a path that does not resolve: what it is, where it was used, what would bring it."""
    module, _, name = path.rpartition(".")
    feature = feature_of(name) if is_module(module) and name in MODULES[module] else None
    if feature is not None:
        reason = f"this version of flowlet does not have it: it comes with {feature}"
    elif is_module(module) and name in MODULES[module]:
        reason = "this version of flowlet does not have it"
    elif not (is_module(module) and MODULES[module]) and (package := provider_of(path)) is not None:
        reason = f"it comes with the package {package}, which is not installed"
    elif is_module(module):
        reason = "flowlet does not know it" + _near(name, MODULES[module] | _submodules(module))
    else:
        reason = "flowlet knows no such module of Airflow's" + _near(path, MODULES)
    return f"{path} is not available: {reason} ({place})"


def feature_of(name: str) -> str | None:
    """The feature that would bring a name of Airflow's; None for what is not planned."""
    return next((feature for feature, names in _LATER.items() if name in names.split()), None)


def provider_of(path: str) -> str | None:
    """The package on PyPI that would bring a module; None if it is no provider's."""
    parts = path.removeprefix("airflow.").split(".")
    if parts[0] == "providers" and len(parts) > 1 and parts[1] != "standard":
        count = 2 if parts[1] in _FAMILIES and len(parts) > 2 else 1
        return "apache-airflow-providers-" + "-".join(part.replace("_", "-") for part in parts[1 : 1 + count])
    if parts[0] in ("operators", "sensors", "hooks", "contrib", "utils", "decorators", "notifications"):
        words = "_".join(parts[1:]).lower().split("_")
        return next((f"apache-airflow-providers-{_OLD[word]}" for word in words if word in _OLD), None)
    return None


#: Providers whose packages have names of two parts.
_FAMILIES = frozenset({"apache", "cncf", "common", "dbt", "microsoft"})

#: Words in old module paths (`airflow.contrib.operators.spark_submit_operator`) and their providers.
_OLD = {
    "bigquery": "google", "dataproc": "google", "gcs": "google", "gcp": "google", "s3": "amazon", "aws": "amazon",
    "emr": "amazon", "redshift": "amazon", "athena": "amazon", "ecs": "amazon", "postgres": "postgres",
    "mysql": "mysql", "sqlite": "sqlite", "mssql": "microsoft-mssql", "oracle": "oracle", "jdbc": "jdbc",
    "transfer": "common-sql", "cloudwatch": "amazon", "elasticsearch": "elasticsearch", "es": "elasticsearch",
    "stackdriver": "google", "spark": "apache-spark", "hive": "apache-hive", "hdfs": "apache-hdfs", "livy": "apache-livy",
    "kubernetes": "cncf-kubernetes", "docker": "docker", "http": "http", "slack": "slack", "ssh": "ssh",
    "sftp": "sftp", "ftp": "ftp", "databricks": "databricks", "snowflake": "snowflake", "email": "smtp",
    "smtp": "smtp", "sql": "common-sql", "dbapi": "common-sql", "wasb": "microsoft-azure", "azure": "microsoft-azure",
    "redis": "redis", "mongo": "mongo", "jenkins": "jenkins", "papermill": "papermill", "pyspark": "apache-spark",
}  # fmt: skip


def _submodules(module: str) -> frozenset[str]:
    start = f"{module}."
    return frozenset(path.removeprefix(start) for path in MODULES if path.startswith(start))


def _near(name: str, known: Any) -> str:
    from flowlet.authoring.places import nearest

    return nearest(name, known)


def _homes() -> dict[str, tuple[str, str]]:
    """The first table, read once."""
    if not _READ:
        for line in _HOMES.strip().splitlines():
            room, _, words = line.partition(": ")
            for word in words.split():
                name, _, own = word.partition("=")
                _READ[name] = (room, own or name)
    return _READ


_READ: dict[str, tuple[str, str]] = {}
