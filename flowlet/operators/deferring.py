"""Whether operators that may wait deferred do so where nobody says (Airflow: `[operators] default_deferrable`)."""

from __future__ import annotations

from typing import Final

from flowlet import settings

#: `FLOWLET__OPERATORS__DEFAULT_DEFERRABLE`, read once, as in Airflow.
DEFERRABLE: Final = settings.get_bool("operators", "default_deferrable", default=False)
