#!/usr/bin/env python3
"""Reads every version and many instants of Delta tables with random histories, and compares with what
Python's deltalake read when each version was the latest.

What must fail is predicted from the files that are left: commits and checkpoints in the log, data files
beside it. Commit files are given times that also run backward, as clocks do.
"""

import argparse
import datetime as dt
import json
import os
import random
import re
import sys
from collections import Counter
from pathlib import Path

import psycopg
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

UTC = dt.timezone.utc
START = dt.datetime(2026, 1, 1, tzinfo=UTC)


class History:
    """A table that is changed at random, and what its versions were."""

    def __init__(self, path: Path, random_: random.Random, n_commits: int):
        self.path, self.random = path, random_
        self.next_id = 0
        self.rows: dict[int, Counter] = {}
        self.columns: dict[int, list[str]] = {}
        self.files: dict[int, set[str]] = {}
        self.extra = 0
        write_deltalake(path, self.batch(), partition_by=random_.choice([None, ["part"]]))
        self.keep()
        changes = [self.append] * 4 + [self.overwrite, self.delete, self.delete, self.update, self.merge]
        changes += [self.optimize, self.add_column, self.restore, self.checkpoint, self.vacuum, self.clean]
        while self.latest() < n_commits:
            random_.choice(changes)()
            self.keep()
        self.date_commits()

    def table(self) -> DeltaTable:
        return DeltaTable(self.path)

    def latest(self) -> int:
        return self.table().version()

    def batch(self) -> pa.Table:
        n_rows = self.random.randint(1, 30)
        ids = list(range(self.next_id, self.next_id + n_rows))
        self.next_id += n_rows
        columns = {
            "id": pa.array(ids, pa.int64()),
            "part": pa.array([self.random.choice("abc") for _ in ids]),
            "amount": pa.array([self.random.choice([None, 0.5, 1.25, 7.0]) for _ in ids], pa.float64()),
            "day": pa.array([dt.date(2026, 1, 1 + i % 28) for i in ids]),
        }
        for number in range(self.extra):
            columns[f"extra{number}"] = pa.array([self.random.choice([None, "x", "y"]) for _ in ids], pa.string())
        return pa.table(columns)

    def keep(self) -> None:
        """Remembers the latest version, which is read by deltalake."""
        table = self.table()
        rows = table.to_pyarrow_table()
        version = table.version()
        # Vacuum commits twice, and changes no row.
        for before in range(max(self.rows, default=version), version - 1):
            self.rows[before + 1] = self.rows[before]
            self.columns[before + 1], self.files[before + 1] = self.columns[before], self.files[before]
        self.columns[version] = rows.column_names
        self.rows[version] = Counter(zip(*(rows.column(name).to_pylist() for name in rows.column_names)))
        self.files[version] = set(table.file_uris())

    def append(self) -> None:
        write_deltalake(self.path, self.batch(), mode="append", schema_mode="merge")

    def overwrite(self) -> None:
        write_deltalake(self.path, self.batch(), mode="overwrite")

    def delete(self) -> None:
        self.table().delete(f"id % {self.random.randint(2, 9)} = 1")

    def update(self) -> None:
        self.table().update(updates={"amount": "amount + 1"}, predicate=f"id % {self.random.randint(2, 9)} = 0")

    def merge(self) -> None:
        source = self.batch()
        ids = source.column("id").to_pylist()
        ids = pa.array([i if self.random.random() < 0.5 else i % max(1, self.next_id // 2) for i in ids], pa.int64())
        source = source.set_column(0, "id", ids)
        distinct = {id_: index for index, id_ in enumerate(ids.to_pylist())}
        source = source.take(sorted(distinct.values()))
        merged = self.table().merge(source, "t.id = s.id", source_alias="s", target_alias="t")
        merged.when_matched_update({"amount": "s.amount"}).when_not_matched_insert_all().execute()

    def optimize(self) -> None:
        self.table().optimize.compact()

    def add_column(self) -> None:
        self.extra += 1
        self.append()

    def restore(self) -> None:
        present = {str(path) for path in self.path.rglob("*.parquet")}
        older = [v for v in self.kept_versions() if v < self.latest()]
        readable = [v for v in older if {uri_path(f) for f in self.files[v]} <= present]
        if readable:
            self.table().restore(self.random.choice(readable))
            self.extra = sum(name.startswith("extra") for name in self.table().schema().to_arrow().names)

    def checkpoint(self) -> None:
        self.table().create_checkpoint()

    def vacuum(self) -> None:
        if self.random.random() < 0.3:
            table = self.table()
            table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)

    def clean(self) -> None:
        """As log cleanup does: all that is before a checkpoint goes."""
        checkpoints = self.checkpoints()
        if self.random.random() < 0.3 and checkpoints:
            last = max(checkpoints)
            for path in (self.path / "_delta_log").iterdir():
                match = re.match(r"(\d{20})\.", path.name)
                if match and int(match[1]) < last:
                    path.unlink()

    def checkpoints(self) -> set[int]:
        log = self.path / "_delta_log"
        return {int(path.name[:20]) for path in log.glob("*.checkpoint*.parquet")}

    def commits(self) -> dict[int, float]:
        log = self.path / "_delta_log"
        found = {path for path in log.iterdir() if re.fullmatch(r"\d{20}\.json", path.name)}
        return {int(path.stem): path.stat().st_mtime for path in found}

    def kept_versions(self) -> list[int]:
        """The versions that the log still tells."""
        commits, checkpoints = self.commits(), self.checkpoints()
        kept = []
        for version in self.rows:
            base = max((c for c in checkpoints if c <= version), default=-1)
            if all(v in commits for v in range(base + 1, version + 1)):
                kept.append(version)
        return sorted(kept)

    def date_commits(self) -> None:
        """Gives commit files times hours apart, now and then backward."""
        at = START
        for version in sorted(self.commits()):
            step = self.random.choice([3600, 7200, 60, -1800, 0])
            at += dt.timedelta(seconds=step)
            path = self.path / "_delta_log" / f"{version:020}.json"
            os.utime(path, (at.timestamp(), at.timestamp()))

    def times(self) -> list[tuple[int, int]]:
        """When each version was committed, in milliseconds, each later than the one before."""
        commits, kept = self.commits(), self.kept_versions()
        oldest = 0 if 0 in commits else min(self.checkpoints())
        run, version = [], max(kept)
        while version in commits and version >= oldest:
            run.append(version)
            version -= 1
        times, last = [], None
        for version in reversed(run):
            at = int(commits[version] * 1000)
            last = at if last is None else max(at, last + 1)
            times.append((version, last))
        return times


def uri_path(uri: str) -> str:
    return uri.removeprefix("file://")


def read(connection, sql: str):
    """The rows as a bag, and the names of their columns; or the error."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return Counter(cursor.fetchall()), [column.name for column in cursor.description], None
    except psycopg.Error as error:
        return None, None, error


def check_version(connection, history: History, name: str, sql: str, version: int, problems: list[str]) -> None:
    kept = history.kept_versions()
    rows, columns, error = read(connection, sql)
    if version not in kept:
        told = error.diag.message_detail or "" if error else ""
        oldest = min(kept) if 0 not in history.commits() else 0
        if error is None or error.sqlstate != "22023" or f"is {oldest}, the latest is {max(kept)}" not in told:
            problems.append(f"{name}: {sql}: is no longer kept, and gave {error and error.sqlstate}: {error} {told}")
        return
    gone = {uri_path(uri) for uri in history.files[version]} - {str(p) for p in history.path.rglob("*.parquet")}
    if error is not None:
        if not gone or error.sqlstate != "58P01":
            problems.append(f"{name}: {sql}: {error.sqlstate} {error}")
        elif "The oldest version" not in (error.diag.message_detail or ""):
            problems.append(f"{name}: {sql}: does not tell what is left: {error.diag.message_detail}")
        return
    if gone and rows:
        problems.append(f"{name}: {sql}: was answered without the files {gone}")
    elif columns != history.columns[version]:
        problems.append(f"{name}: {sql}: columns {columns}, not {history.columns[version]}")
    elif rows != history.rows[version]:
        more, less = rows - history.rows[version], history.rows[version] - rows
        problems.append(f"{name}: {sql}: {sum(more.values())} rows too many, {sum(less.values())} missing")


def check_instant(connection, history: History, name: str, at: int, problems: list[str]) -> None:
    instant = dt.datetime.fromtimestamp(at / 1000, UTC).isoformat()
    sql = f"select * from h.{name} timestamp as of '{instant}'"
    before = [version for version, time in history.times() if time <= at]
    if before:
        check_version(connection, history, name, sql, before[-1], problems)
        return
    _, _, error = read(connection, sql)
    if error is None or error.sqlstate != "22023":
        problems.append(f"{name}: {sql}: is before all, and gave {error}")


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--make", type=Path)
    arguments.add_argument("--tables", type=int, default=5)
    arguments.add_argument("--seed", type=int, default=int(os.environ.get("LAKEGATE_TEST_SEED", "7")))
    arguments.add_argument("--gateway")
    given = arguments.parse_args()
    lake = given.make
    histories = {}
    for number in range(given.tables):
        seeded = random.Random(f"{given.seed}/{number}")
        path = lake / "h" / f"t{number}"
        path.mkdir(parents=True)
        histories[f"t{number}"] = History(path, seeded, seeded.randint(6, 25))
    host, port = given.gateway.split(":")
    problems: list[str] = []
    seeded = random.Random(given.seed)
    with psycopg.connect(host=host, port=port, dbname="lake", user="t", autocommit=True) as connection:
        for name, history in histories.items():
            for version in range(history.latest() + 3):
                sql = f"select * from h.{name} version as of {version}"
                check_version(connection, history, name, sql, version, problems)
            times = history.times()
            first, last = times[0][1] - 3_600_000, times[-1][1] + 3_600_000
            exact = [time for _, time in times] + [time - 1 for _, time in times]
            for at in exact + [seeded.randint(first, last) for _ in range(200)]:
                check_instant(connection, history, name, at, problems)
    for problem in problems[:20]:
        print("ERROR", problem, file=sys.stderr)
    n_versions = sum(len(history.rows) for history in histories.values())
    print(json.dumps({"tables": len(histories), "versions": n_versions, "problems": len(problems)}))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
