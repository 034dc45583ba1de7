"""An ETL on real input: extract, validate, transform, load into SQLite, report.

    flowlet run examples/weather.py

The usual temperature of each hour of a year (examples/data/SOURCE.txt) becomes a table of months.
Running it again replaces the table: every step gives the same result, however often it is tried.
"""

import csv
import sqlite3
from collections import defaultdict
from contextlib import closing
from datetime import datetime
from pathlib import Path

from flowlet import DAG, task

SOURCE = Path(__file__).parent / "data" / "seattle-temps.csv"
PLAUSIBLE = (-40.0, 120.0)

PARAMS = {"source": str(SOURCE), "db": "weather.sqlite"}

with DAG("weather", description="Monthly temperatures of Seattle", params=PARAMS) as dag:

    @task(retries=2)
    def extract(params: dict) -> list[list[str]]:
        source = Path(params["source"])
        with source.open(newline="") as file:
            rows = list(csv.reader(file))[1:]
        print(f"{len(rows)} rows from {source.name}")
        return rows

    @task(multiple_outputs=True)
    def validate(rows: list[list[str]]) -> dict:
        """Keep what can be read and is plausible; count the rest."""
        good, rejected = [], 0
        for row in rows:
            try:
                when, temperature = row
                moment, degrees = datetime.strptime(when, "%Y/%m/%d %H:%M"), float(temperature)
            except ValueError:
                rejected += 1
                continue
            if PLAUSIBLE[0] <= degrees <= PLAUSIBLE[1]:
                good.append([moment.month, degrees])
            else:
                rejected += 1
        return {"good": good, "rejected": rejected}

    @task
    def transform(readings: list[list[float]]) -> list[list[float]]:
        """Month, lowest, mean and highest temperature in degrees Celsius."""
        months = defaultdict(list)
        for month, fahrenheit in readings:
            months[int(month)].append((fahrenheit - 32) * 5 / 9)
        return [
            [month, round(min(c), 1), round(sum(c) / len(c), 1), round(max(c), 1)] for month, c in sorted(months.items())
        ]

    @task
    def load(months: list[list[float]], params: dict) -> int:
        with closing(sqlite3.connect(params["db"])) as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS months (month INTEGER PRIMARY KEY, low REAL, mean REAL, high REAL)")
            db.execute("DELETE FROM months")
            db.executemany("INSERT INTO months VALUES (?, ?, ?, ?)", months)
        return len(months)

    @task
    def report(months: list[list[float]], rejected: int, loaded: int) -> str:
        lines = ["month    low   mean   high  (Celsius)"]
        lines += [f"{month:>5} {low:>6} {mean:>6} {high:>6}" for month, low, mean, high in months]
        lines.append(f"{loaded} months loaded, {rejected} rows rejected")
        text = "\n".join(lines)
        print(text)
        return text

    checked = validate(extract())
    table = transform(checked["good"])
    report(table, checked["rejected"], load(table))
