"""SmoothOperator (Airflow: providers/standard/operators/smooth.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlet.authoring.operator import BaseOperator

if TYPE_CHECKING:
    from flowlet.authoring.context import Context


class SmoothOperator(BaseOperator):
    """Logs the address of Sade's "Smooth Operator"."""

    ui_color = "#e8f7e4"
    yt_link = "https://www.youtube.com/watch?v=4TYv2PhG89A"

    def execute(self, context: Context) -> None:
        context["ti"].log.info("Enjoy Sade - Smooth Operator: %s", self.yt_link)
