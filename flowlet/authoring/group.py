"""TaskGroup: tasks under one name, joined to others as one (Airflow: sdk/definitions/taskgroup.py)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from flowlet.authoring import ids, places, stack
from flowlet.authoring.edges import DependencyMixin, connect
from flowlet.authoring.setup_teardown import last_of
from flowlet.errors import DagError, DuplicateTaskId

if TYPE_CHECKING:
    from flowlet.authoring.dag import DAG
    from flowlet.authoring.expand_input import ExpandInput
    from flowlet.authoring.operator import BaseOperator


class TaskGroup(DependencyMixin):
    """A named part of a DAG: `with TaskGroup("load") as load: ...`, then `extract >> load >> report`.

    An edge to a group leads to its roots, an edge from it comes from its leaves; an empty one is passed
    through. `prefix_group_id` puts the group's id before those of its tasks; `default_args` come between
    the DAG's and the task's own; `add_suffix_on_collision` makes `load__1` of a second `load`.
    """

    def __init__(
        self,
        group_id: str | None,
        group_display_name: str = "",
        prefix_group_id: bool = True,
        parent_group: TaskGroup | None = None,
        dag: DAG | None = None,
        default_args: Mapping[str, Any] | None = None,
        tooltip: str = "",
        doc_md: str | None = None,
        ui_color: str = "CornflowerBlue",
        ui_fgcolor: str = "#000",
        add_suffix_on_collision: bool = False,
    ) -> None:
        self._site = places.site_of(sys._getframe(1))
        self.group_display_name = group_display_name
        self.prefix_group_id = prefix_group_id
        self.tooltip = tooltip
        self.doc_md = doc_md
        self.ui_color = ui_color
        self.ui_fgcolor = ui_fgcolor
        self.mapped_over: ExpandInput | None = None
        """What its tasks are mapped over together, if they are."""
        self.children: dict[str, BaseOperator | TaskGroup] = {}
        self._ups: list[DependencyMixin] = []
        self._downs: list[DependencyMixin] = []
        if default_args is not None and not isinstance(default_args, Mapping):
            raise DagError(
                f"group {group_id!r}: default_args must be a dict, not {default_args!r} ({places.spell(self._site)})"
            )
        try:
            self.parent_group = stack.home(dag, parent_group) if group_id is not None else None
            self.dag: DAG = self._dag_of(dag, group_id)
        except AttributeError:
            raise DagError(
                f"group {group_id!r}: dag={dag!r}, parent_group={parent_group!r}: not a DAG, not a TaskGroup"
                f" ({places.spell(self._site)})"
            ) from None
        outer = self.parent_group.default_args if self.parent_group is not None else {}
        self.default_args: dict[str, Any] = {**outer, **(default_args or {})}
        self._own_id = None if group_id is None else ids.check_group_id(group_id, self._site)
        self.group_id = self._full_id()
        if self.parent_group is not None:
            self._settle(add_suffix_on_collision)

    @classmethod
    def root_of(cls, dag: DAG, default_args: dict[str, Any]) -> TaskGroup:
        """The group that holds all others; it shares the DAG's default_args."""
        root = cls(None, dag=dag)
        root.default_args = default_args
        return root

    def _dag_of(self, dag: DAG | None, group_id: str | None) -> DAG:
        parent = self.parent_group
        if parent is None:
            if dag is None:
                raise DagError(f"group {group_id!r} is in no DAG ({places.spell(self._site)})")
            return dag
        if dag is not None and parent.dag is not dag:
            raise DagError(
                f"group {group_id!r} is of DAG {dag.dag_id!r}, its parent group of DAG {parent.dag.dag_id!r}"
                f" ({places.spell(self._site)})"
            )
        return parent.dag

    def _full_id(self) -> str | None:
        return self._own_id if self.parent_group is None else self.parent_group.child_id(self._own_id or "")

    def _settle(self, add_suffix: bool) -> None:
        """Take the place among the DAG's ids."""
        taken = self.dag._groups
        if self.group_id in taken and add_suffix:
            label, _ = ids.split_number(self._own_id or "")
            used = self.dag._group_suffixes
            # Airflow counts on from the outermost groups of that label, whatever group this one is in.
            number = max(used.get(label, 0), used[ids.split_number(self.group_id)[0]]) + 1
            self._own_id = f"{label}__{number}"
            self.group_id = self._full_id()
        assert self.group_id is not None  # noqa: S101  only the root has none, and it has no parent
        assert self.parent_group is not None  # noqa: S101  as above
        other = taken.get(self.group_id) or self.dag.task_dict.get(self.group_id)
        if other is not None:
            raise DuplicateTaskId(
                f"the id {self.group_id!r} is taken in DAG {self.dag.dag_id!r}: first by {other!r}"
                f" ({places.spell(other._site)}), again by a group ({places.spell(self._site)})"
            )
        taken[self.group_id] = self
        base, number = ids.split_number(self.group_id)
        self.dag._group_suffixes[base] = max(number, self.dag._group_suffixes.get(base, 0))
        self.parent_group.children[self.group_id] = self

    @property
    def is_root(self) -> bool:
        """Whether it is the DAG's own group."""
        return self.parent_group is None

    @property
    def node_id(self) -> str | None:
        """Its id among tasks and groups."""
        return self.group_id

    @property
    def label(self) -> str | None:
        """Its id without the prefix, or its display name."""
        return self.group_display_name or self._own_id

    @property
    def task_group(self) -> TaskGroup | None:
        """The group around it."""
        return self.parent_group

    def child_id(self, label: str) -> str:
        """The id of something called `label` in this group."""
        return f"{self.group_id}.{label}" if self.prefix_group_id and self.group_id else label

    def add(self, task: BaseOperator) -> BaseOperator:
        """Take a new task in, under its full id."""
        if self.group_id:
            object.__setattr__(task, "task_id", ids.check_id("task", self.child_id(task.task_id), task._site))
        self.dag._register(task)
        self.children[task.task_id] = task
        object.__setattr__(task, "_group", self)
        return task

    def iter_tasks(self) -> Iterator[BaseOperator]:
        """All tasks in it and in its groups, in the order of definition."""
        todo = [iter(self.children.values())]
        while todo:
            child = next(todo[-1], None)
            if child is None:
                todo.pop()
            elif isinstance(child, TaskGroup):
                todo.append(iter(child.children.values()))
            else:
                yield child

    __iter__ = iter_tasks

    def has_task(self, task: BaseOperator) -> bool:
        """Whether the task is in it or in one of its groups."""
        group = task.task_group
        while group is not None and group is not self:
            group = group.parent_group
        return group is self

    def get_child_by_label(self, label: str) -> BaseOperator | TaskGroup:
        """The task or group that is called so in this group."""
        return self.children[self.child_id(label)]

    # -- edges ----------------------------------------------------------------------------------------

    def get_roots(self) -> list[BaseOperator]:
        """Its tasks that come after no other of its tasks."""
        return [task for task in self.iter_tasks() if not any(map(self.has_task, task._up))]

    def get_leaves(self) -> list[BaseOperator]:
        """Its tasks that come before no other of its tasks; for a teardown, what it follows in the group."""
        return last_of(list(self.iter_tasks()))

    @property
    def roots(self) -> Sequence[BaseOperator]:
        return self.get_roots()

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        return self.get_leaves()

    def _meets_upstream(self, other: DependencyMixin) -> None:
        self._ups.append(other)
        if self._is_empty():
            for node in self._downs:
                connect(other, node)

    def _meets_downstream(self, other: DependencyMixin) -> None:
        self._downs.append(other)
        if self._is_empty():
            for node in self._ups:
                connect(node, other)

    def _is_empty(self) -> bool:
        return next(self.iter_tasks(), None) is None

    def __enter__(self) -> Self:
        stack.push(self)
        return self

    def __exit__(self, *exc: object) -> None:
        stack.pop()

    def __repr__(self) -> str:
        return f"<TaskGroup: {self.group_id}>"
