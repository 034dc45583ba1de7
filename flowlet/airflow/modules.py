"""Airflow's modules and the names that DAG files take from them, as one table.

A line is `module[, module...]: names`; `*.x` repeats the names of another module. Parents exist by
themselves. A name stands here when Airflow has it there, whether flowlet has it or not.
"""

from __future__ import annotations

_SDK = """
AllowedKeyMapper Asset AssetAccessControl AssetAlias AssetAll AssetAny AssetOrTimeSchedule AssetWatcher AsyncCallback
BaseAsyncOperator BaseBranchOperator BaseDeadlineReference BaseHook BaseNotifier BaseOperator BaseOperatorLink
BaseSensorOperator BaseXCom BranchMixIn ChainMapper Connection Context CronDataIntervalTimetable CronPartitionTimetable
CronTriggerTimetable DAG DagRunState DayWindow DeadlineAlert DeadlineReference DeltaDataIntervalTimetable
DeltaTriggerTimetable EdgeModifier EventsTimetable ExceptionRetryPolicy FanOutMapper FixedKeyMapper HourWindow
IdentityMapper Label Metadata MinimumCount MonthWindow MultipleCronTriggerTimetable NEVER_EXPIRE ObjectStoragePath Param
ParamsDict PartitionMapper PartitionedAssetTimetable PartitionedAtRuntime PokeReturnValue ProductMapper QuarterWindow
ResumableJobMixin RetryAction RetryDecision RetryPolicy RetryRule RollupMapper SegmentWindow SkipMixin StartOfDayMapper
StartOfHourMapper StartOfMonthMapper StartOfQuarterMapper StartOfWeekMapper StartOfYearMapper SyncCallback TaskGroup
TaskInstance TaskInstanceState TriggerRule Variable WaitForAll WeekWindow WeightRule Window XComArg YearWindow asset
chain chain_linear conf cross_downstream dag deadline_reference get_current_context get_parsing_context literal result
setup task task_group teardown
"""

_TABLE = f"""
airflow: DAG Asset Dataset XComArg AirflowException Trace
airflow.sdk: {" ".join(_SDK.split())}
airflow.providers.common.compat.assets: Asset AssetAlias AssetAll AssetAny
airflow.assets, airflow.sdk.definitions.asset: Asset AssetAlias AssetAll AssetAny AssetWatcher Metadata
airflow.sdk.definitions.asset: AssetRef Dataset Model AssetAccessControl
airflow.sdk.definitions.asset.decorators: asset
airflow.sdk.definitions.asset.metadata: Metadata
airflow.datasets: Dataset DatasetAlias DatasetAll DatasetAny expand_alias_to_datasets
airflow.datasets.metadata: Metadata

airflow.sdk.exceptions, airflow.exceptions: AirflowBadRequest AirflowConfigException AirflowDagCycleException
airflow.sdk.exceptions, airflow.exceptions: AirflowDagDuplicatedIdException AirflowException AirflowFailException
airflow.sdk.exceptions, airflow.exceptions: AirflowInactiveAssetInInletOrOutletException AirflowNotFoundException
airflow.sdk.exceptions, airflow.exceptions: AirflowOptionalProviderFeatureException AirflowRescheduleException
airflow.sdk.exceptions, airflow.exceptions: AirflowRuntimeError AirflowSensorTimeout AirflowSkipException
airflow.sdk.exceptions, airflow.exceptions: AirflowTaskTerminated AirflowTaskTimeout AirflowTimetableInvalid
airflow.sdk.exceptions, airflow.exceptions: AirflowProviderDeprecationWarning DagNotFound DagRunAlreadyExists
airflow.sdk.exceptions, airflow.exceptions: DagRunNotFound DownstreamTasksSkipped DuplicateTaskIdFound NodeNotFound
airflow.sdk.exceptions, airflow.exceptions: ParamValidationError PoolNotFound RemovedInAirflow3Warning
airflow.sdk.exceptions, airflow.exceptions: RemovedInAirflow4Warning SerializationError TaskDeferralError
airflow.sdk.exceptions, airflow.exceptions: TaskDeferralTimeout TaskDeferred TaskNotFound UnmappableXComTypePushed
airflow.sdk.exceptions, airflow.exceptions: XComForMappingNotPushed XComNotFound UnmappableXComLengthPushed
airflow.sdk.exceptions, airflow.exceptions: TaskAlreadyInTaskGroup FailFastDagInvalidTriggerRule
airflow.exceptions: DagCodeNotFound TaskInstanceNotFound

airflow.sdk.bases.operator: BaseOperator BaseAsyncOperator chain chain_linear cross_downstream
airflow.sdk.bases.branch: BaseBranchOperator BranchMixIn
airflow.sdk.bases.decorator: DecoratedOperator DecoratedMappedOperator TaskDecorator task_decorator_factory
airflow.sdk.bases.decorator: get_unique_task_id determine_kwargs KeywordParameters
airflow.sdk.definitions.decorators: TaskDecoratorCollection
airflow.sdk.bases.hook, airflow.hooks.base, airflow.hooks.base_hook: BaseHook
airflow.sdk.bases.notifier, airflow.notifications.basenotifier: BaseNotifier
airflow.sdk.bases.operatorlink, airflow.models.baseoperatorlink: BaseOperatorLink
airflow.sdk.bases.sensor, airflow.sensors.base, airflow.sensors.base_sensor_operator: BaseSensorOperator
airflow.sdk.bases.sensor, airflow.sensors.base: PokeReturnValue poke_mode_only
airflow.sdk.bases.resumablejobmixin: ResumableJobMixin
airflow.sdk.bases.skipmixin, airflow.models.skipmixin: SkipMixin
airflow.sdk.bases.xcom: BaseXCom
airflow.sdk.configuration, airflow.configuration: conf AirflowConfigException
airflow.sdk.definitions.connection: Connection
airflow.sdk.definitions.context, airflow.utils.context: Context KNOWN_CONTEXT_KEYS get_current_context
airflow.sdk.definitions.context, airflow.utils.context: get_parsing_context context_merge context_copy_partial
airflow.sdk.definitions.dag: DAG dag
airflow.sdk.definitions.decorators, airflow.decorators: dag setup task task_group teardown result
airflow.decorators.base: *airflow.sdk.bases.decorator TaskDecoratorCollection
airflow.decorators.python, airflow.decorators.task_group: task task_group
airflow.sdk.definitions.deadline: DeadlineAlert DeadlineReference BaseDeadlineReference deadline_reference
airflow.sdk.definitions.callback: AsyncCallback SyncCallback
airflow.sdk.definitions.edges, airflow.utils.edgemodifier: EdgeModifier Label
airflow.sdk.definitions.mappedoperator, airflow.models.mappedoperator: MappedOperator
airflow.sdk.definitions.param: Param ParamsDict
airflow.sdk.definitions.retry_policy: RetryPolicy RetryAction RetryDecision RetryRule ExceptionRetryPolicy
airflow.sdk.definitions.retry_policy: ChainRetryPolicy
airflow.sdk.definitions.taskgroup, airflow.utils.task_group: TaskGroup MappedTaskGroup
airflow.sdk.definitions.template, airflow.template.templater, airflow.utils.template: literal
airflow.sdk.definitions.variable: Variable
airflow.sdk.definitions.xcom_arg, airflow.models.xcom_arg: XComArg PlainXComArg MapXComArg
airflow.sdk.execution_time.context: NEVER_EXPIRE TaskStateStoreAccessor AssetStateStoreAccessor
airflow.sdk.execution_time.context: AssetStateStoreAccessors
airflow.sdk.execution_time.task_runner: RuntimeTaskInstance
airflow.sdk.execution_time.xcom: XCom
airflow.sdk.io, airflow.io: ObjectStoragePath attach get_fs has_fs Properties _BUILTIN_SCHEME_TO_FS
airflow.io.storage: attach
airflow.io.typedef, airflow.sdk.io.typedef: Properties
airflow.sdk.io.path, airflow.io.path: ObjectStoragePath
airflow.sdk.log, airflow.utils.log.secrets_masker, airflow.sdk.execution_time.secrets_masker: mask_secret redact
airflow.sdk.types: TaskInstance TaskInstanceKey Operator RuntimeTaskInstanceProtocol
airflow.sdk.timezone, airflow.utils.timezone: utc utcnow is_localized is_naive make_aware make_naive convert_to_utc
airflow.sdk.timezone, airflow.utils.timezone: coerce_datetime parse datetime
airflow.sdk.macros, airflow.macros, airflow.sdk.execution_time.macros: ds_add ds_format ds_format_locale
airflow.sdk.macros, airflow.macros, airflow.sdk.execution_time.macros: datetime_diff_for_humans

airflow.models: BaseOperator BaseOperatorLink BaseXCom Connection DAG DagBag DagModel DagRun MappedOperator Param Pool
airflow.models: SkipMixin TaskInstance Variable XCom XComArg Base Callback DagTag DagWarning DbCallbackRequest Deadline
airflow.models: DeadlineAlert HITLDetail ID_LEN Job Log RenderedTaskInstanceFields TaskReschedule Team Trigger
airflow.models: clear_task_instances
airflow.models.abstractoperator: AbstractOperator TaskStateChangeCallback DEFAULT_OWNER DEFAULT_QUEUE NotMapped
airflow.models.abstractoperator: DEFAULT_TASK_EXECUTION_TIMEOUT
airflow.models.baseoperator, airflow.models.operator: BaseOperator Operator chain chain_linear cross_downstream
airflow.models.baseoperator: BaseOperatorLink
airflow.models.connection: Connection
airflow.models.dag: DAG dag DagModel
airflow.models.dagbag, airflow.dag_processing.dagbag: DagBag
airflow.models.dagrun: DagRun
airflow.models.param: Param ParamsDict
airflow.models.pool: Pool
airflow.models.taskinstance: TaskInstance TaskInstanceKey clear_task_instances
airflow.models.taskinstancekey: TaskInstanceKey
airflow.secrets, airflow.secrets.base_secrets: BaseSecretsBackend
airflow.secrets.cache, airflow.sdk, airflow.sdk.execution_time.cache: SecretCache
airflow.models.variable: Variable
airflow.models.xcom: XCom BaseXCom XCOM_RETURN_KEY

airflow.operators.bash, airflow.operators.bash_operator, airflow.providers.standard.operators.bash: BashOperator
airflow.operators.branch, airflow.operators.branch_operator: BaseBranchOperator BranchMixIn
airflow.providers.standard.operators.branch: BaseBranchOperator BranchMixIn
airflow.operators.datetime, airflow.providers.standard.operators.datetime: BranchDateTimeOperator
airflow.operators.datetime, airflow.providers.standard.operators.datetime: target_times_as_dates
airflow.operators.dummy, airflow.operators.dummy_operator: DummyOperator EmptyOperator
airflow.operators.empty, airflow.providers.standard.operators.empty: EmptyOperator
airflow.operators.latest_only, airflow.operators.latest_only_operator: LatestOnlyOperator
airflow.providers.standard.operators.latest_only: LatestOnlyOperator
airflow.operators.python, airflow.operators.python_operator: BranchExternalPythonOperator BranchPythonOperator
airflow.operators.python, airflow.operators.python_operator: BranchPythonVirtualenvOperator ExternalPythonOperator
airflow.operators.python, airflow.operators.python_operator: PythonOperator PythonVirtualenvOperator
airflow.operators.python, airflow.operators.python_operator: ShortCircuitOperator get_current_context
airflow.providers.standard.operators.python: *airflow.operators.python
airflow.operators.smooth, airflow.providers.standard.operators.smooth: SmoothOperator
airflow.operators.subdag, airflow.operators.subdag_operator: SubDagOperator
airflow.operators.trigger_dagrun, airflow.operators.dagrun_operator: TriggerDagRunOperator TriggerDagRunLink
airflow.providers.standard.operators.trigger_dagrun: TriggerDagRunOperator TriggerDagRunLink DagIsPaused
airflow.operators.weekday, airflow.providers.standard.operators.weekday: BranchDayOfWeekOperator
airflow.providers.standard.operators.hitl: ApprovalOperator HITLBranchOperator HITLEntryOperator HITLOperator
airflow.providers.standard.decorators: task
airflow.providers.standard.hooks.filesystem, airflow.hooks.filesystem: FSHook
airflow.providers.standard.hooks.subprocess, airflow.hooks.subprocess: SubprocessHook SubprocessResult
airflow.sensors.bash, airflow.providers.standard.sensors.bash: BashSensor
airflow.sensors.date_time, airflow.sensors.date_time_sensor: DateTimeSensor DateTimeSensorAsync
airflow.providers.standard.sensors.date_time: DateTimeSensor DateTimeSensorAsync
airflow.sensors.external_task, airflow.sensors.external_task_sensor: ExternalTaskMarker ExternalTaskSensor ExternalDagLink
airflow.providers.standard.sensors.external_task: ExternalTaskMarker ExternalTaskSensor ExternalDagLink
airflow.sensors.filesystem, airflow.providers.standard.sensors.filesystem: FileSensor
airflow.contrib.sensors.file_sensor: FileSensor
airflow.sensors.python, airflow.providers.standard.sensors.python: PythonSensor
airflow.sensors.time_delta, airflow.sensors.time_delta_sensor: TimeDeltaSensor TimeDeltaSensorAsync WaitSensor
airflow.providers.standard.sensors.time_delta: TimeDeltaSensor TimeDeltaSensorAsync WaitSensor
airflow.sensors.time_sensor, airflow.providers.standard.sensors.time: TimeSensor TimeSensorAsync
airflow.sensors.weekday, airflow.sensors.weekday_sensor, airflow.providers.standard.sensors.weekday: DayOfWeekSensor
airflow.providers.standard.triggers.external_task, airflow.triggers.external_task: WorkflowTrigger DagStateTrigger
airflow.providers.standard.triggers.file, airflow.triggers.file: FileTrigger FileDeleteTrigger
airflow.providers.standard.triggers.file: DirectoryFileDeleteTrigger
airflow.providers.standard.triggers.temporal, airflow.triggers.temporal: DateTimeTrigger TimeDeltaTrigger
airflow.triggers.base: BaseTrigger BaseEventTrigger TriggerEvent TaskSuccessEvent TaskFailedEvent TaskSkippedEvent
airflow.triggers.base: StartTriggerArgs
airflow.providers.standard.utils.weekday, airflow.utils.weekday: WeekDay

airflow.timetables.base: Timetable DagRunInfo DataInterval TimeRestriction
airflow.timetables.assets, airflow.timetables.datasets: AssetOrTimeSchedule DatasetOrTimeSchedule
airflow.timetables.events: EventsTimetable
airflow.timetables.interval: CronDataIntervalTimetable DeltaDataIntervalTimetable
airflow.timetables.simple: NullTimetable OnceTimetable ContinuousTimetable
airflow.timetables.trigger: CronTriggerTimetable DeltaTriggerTimetable MultipleCronTriggerTimetable
airflow.timetables.trigger: CronPartitionTimetable
airflow.task.trigger_rule, airflow.utils.trigger_rule: TriggerRule
airflow.task.weight_rule, airflow.utils.weight_rule: WeightRule
airflow.utils.weight_rule: DB_SAFE_MAXIMUM DB_SAFE_MINIMUM db_safe_priority
airflow.task.priority_strategy: PriorityWeightStrategy
airflow.partition_mappers.base: PartitionMapper RollupMapper
airflow.partition_mappers.window: Window DayWindow HourWindow MonthWindow QuarterWindow WeekWindow YearWindow
airflow.plugins_manager, airflow.sdk.plugins_manager: AirflowPlugin
airflow.version: version
airflow.listeners: hookimpl
airflow.stats, airflow.sdk.observability.stats: Stats
airflow.metrics, airflow.traces: Trace
airflow.serialization.serde: serialize deserialize
airflow.utils.setup_teardown: BaseSetupTeardownContext SetupTeardownContext
airflow.utils.timeout, airflow.sdk.execution_time.timeout: timeout
airflow.utils.process_utils: execute_in_subprocess patch_environ
airflow.utils.hashlib_wrapper: md5
airflow.sdk.definitions._internal.types: SET_DURING_EXECUTION NOTSET ArgNotSet
airflow.utils.entry_points: entry_points_with_dist
airflow.utils.operator_resources: Resources
airflow.sdk.execution_time.context: context_to_airflow_vars AIRFLOW_VAR_NAME_FORMAT_MAPPING
airflow.providers.standard.hooks.package_index, airflow.hooks.package_index: PackageIndexHook

airflow.utils.dates: days_ago cron_presets
airflow.utils.decorators: apply_defaults fixup_decorator_warning_stack remove_task_decorator
airflow.utils.db, airflow.utils.session: provide_session create_session NEW_SESSION
airflow.settings: Session
airflow.utils.email: send_email send_email_smtp build_mime_message get_email_address_list
airflow.operators.email, airflow.operators.email_operator: EmailOperator
airflow.utils.helpers: chain cross_downstream merge_dicts exactly_one prune_dict chunks convert_camel_to_snake
airflow.providers_manager: ProvidersManager
airflow.utils.log.logging_mixin: LoggingMixin
airflow.utils.operator_helpers: determine_kwargs KeywordParameters context_to_airflow_vars
airflow.utils.state: State TaskInstanceState DagRunState JobState
airflow.utils.types: DagRunType NOTSET ArgNotSet
airflow.sdk.lineage, airflow.lineage.hook: get_hook_lineage_collector
airflow.utils.strings: to_boolean
airflow.utils.platform: getuser
airflow.sdk.module_loading, airflow.utils.module_loading: import_string qualname is_valid_dotpath iter_namespace
airflow.utils.xcom: XCOM_RETURN_KEY
airflow.providers.common.compat.sdk.timezone: *airflow.utils.timezone
airflow.providers.common.compat.sdk: *airflow.sdk *airflow.sdk.exceptions *airflow.sdk.bases.decorator
airflow.providers.common.compat.sdk: *airflow.triggers.base *airflow.sdk.log poke_mode_only get_hook_lineage_collector
airflow.providers.common.compat.sdk: AirflowPlugin AssetLineageInfo ChainRetryPolicy DagRunTriggerException HookLineage
airflow.providers.common.compat.sdk: HookLineageCollector HookLineageReader KeywordParameters MappedOperator NoOpCollector
airflow.providers.common.compat.sdk: SET_DURING_EXECUTION Stats TaskInstanceKey XCOM_RETURN_KEY XCom context_merge timeout
airflow.providers.common.compat.sdk: context_to_airflow_vars get_listener_manager hookimpl AIRFLOW_VAR_NAME_FORMAT_MAPPING
airflow.providers.common.compat.sdk: AIRFLOW_V_3_0_PLUS AIRFLOW_V_3_1_PLUS AIRFLOW_V_3_2_PLUS AIRFLOW_V_3_3_PLUS AIRFLOW_V_3_4_PLUS
airflow.providers.common.compat.version_compat: AIRFLOW_V_3_0_PLUS AIRFLOW_V_3_1_PLUS AIRFLOW_V_3_2_PLUS AIRFLOW_V_3_3_PLUS AIRFLOW_V_3_4_PLUS
airflow.providers.common.compat.standard.operators: *airflow.operators.python
"""


def _read() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {"airflow": set()}
    for line in filter(None, _TABLE.splitlines()):
        modules, _, words = line.partition(": ")
        for module in modules.split(", "):
            names = found.setdefault(module, set())
            for word in words.split():
                names |= found[word[1:]] if word.startswith("*") else {word}
    for module in list(found):
        while "." in module:
            module = module.rpartition(".")[0]  # noqa: PLW2901  upwards, parent by parent
            found.setdefault(module, set())
    return {module: frozenset(names) for module, names in found.items()}


MODULES: dict[str, frozenset[str]] = _read()
"""Module to names."""
