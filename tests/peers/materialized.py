#!/usr/bin/env python3
"""Materialized views over tables that somebody else writes: whatever becomes of the tables, a view gives what its query gives.

    python3 materialized.py --gateway HOST:PORT --make FOLDER --state FOLDER [--seed N] [--steps N]

The gateway refreshes nothing by itself (`--poll 0`). Between any two rounds the tables are appended to, overwritten,
deleted from, merged into, compacted, given other columns, or dropped and made anew, by Python's deltalake, which is
another process; views below are defined anew; some of the materialized views are refreshed, or not. Then every view is
asked beside its own query, in sessions of several zones and styles, now and at earlier instants: the rows must be the same
bag, or the SQLSTATE the same. After a refresh the stored rows must have been read, and Python's deltalake and DuckDB must
read the same rows from the stored table, and what it says of its inputs must be the versions that there are.
"""

import argparse
import os
import random
import shutil
import sys
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from psycopg.types.string import TextLoader

WORDS = ["red", "green", "blue", "grey", None]

# Each materialized view: its query, whether it looks into instants or writes them, and whether it reads files.
VIEWS = {
    "m.by_word": ("select word, count(*) as n_rows, sum(n) as total, min(at) as first, max(n) as most from s.d group by word",
                  False, False),
    "m.per_day": ("select date_trunc('day', at) as day, count(*) as n_rows from s.d group by 1", True, False),
    "m.joined": ("select e.label, count(*) as n_rows, sum(d.price) as price from s.d d join s.e e on e.word = d.word group by 1",
                 False, False),
    "m.over_view": ("select parity, array_agg(id order by id) as ids from s.v group by parity", False, False),
    "m.plain": ("select id, word, at, price, data, n::int2 as small, f, f > 0.2 as large, at::timestamp as local from s.d where id < 70",
                True, False),
    "m.kinds": ("select id, ('{\"n\": ' || id || '}')::jsonb as \"a document\", 'a'::varchar(5) as v, price::numeric(20, 4) as \"Price\", "
                "md5(id::text)::uuid as u, date '2020-01-01' + id::int4 as day from s.d", False, False),
    "m.files": ("select f.word, count(*) as n_rows from s.files f join s.d d on d.id = f.id group by f.word", False, True),
    "m.nothing": ("select id, word from s.d where false", False, False),
    "m.over_m": ("select count(*) as n_words, sum(total) as total from m.by_word", False, False),
}
STYLES = [[], ["TimeZone = 'Asia/Kolkata'"], ["DateStyle = 'German'"], ["extra_float_digits = 0", "bytea_output = 'escape'"]]


class Tables:
    """Two Delta tables and a folder of files, and what may become of them."""

    def __init__(self, folder: Path, chance: random.Random):
        self.folder, self.chance = folder / "s", chance
        self.extra = 0
        self.make_anew()
        write_deltalake(self.folder / "e", self.labels())
        self.replace_file()

    def labels(self) -> pa.Table:
        words = [word for word in WORDS if word]
        return pa.table({"word": pa.array(words), "label": pa.array([self.chance.choice("xyz") for _ in words])})

    def rows(self) -> pa.Table:
        chance = self.chance
        ids = chance.sample(range(100), chance.randint(1, 40))
        columns = {
            "id": pa.array(ids, pa.int64()),
            "n": pa.array([chance.choice([None, 1, 5, 9]) for _ in ids], pa.int32()),
            # Sums of these are the same in every order.
            "f": pa.array([chance.choice([0.25, 0.5, 1e9, float("nan"), None]) for _ in ids], pa.float64()),
            "price": pa.array([Decimal(chance.randrange(10_000)) / 100 for _ in ids], pa.decimal128(12, 2)),
            "word": pa.array([chance.choice(WORDS) for _ in ids], pa.string()),
            "data": pa.array([bytes([chance.randrange(256)]) for _ in ids], pa.binary()),
            "at": pa.array([chance.randrange(10**15, 2 * 10**15) for _ in ids], pa.timestamp("us", "UTC")),
        }
        for number in range(self.extra):
            columns[f"extra{number}"] = pa.array([chance.choice([None, "x"]) for _ in ids], pa.string())
        return pa.table(columns)

    def make_anew(self) -> None:
        self.extra = 0
        shutil.rmtree(self.folder / "d", ignore_errors=True)
        write_deltalake(self.folder / "d", self.rows())

    def append(self) -> None:
        write_deltalake(self.folder / "d", self.rows(), mode="append", schema_mode="merge")

    def overwrite(self) -> None:
        write_deltalake(self.folder / "d", self.rows(), mode="overwrite", schema_mode="overwrite")

    def delete(self) -> None:
        DeltaTable(self.folder / "d").delete(f"id % {self.chance.randint(2, 9)} = 1")

    def update(self) -> None:
        DeltaTable(self.folder / "d").update(updates={"n": "7"}, predicate=f"id % {self.chance.randint(2, 9)} = 0")

    def merge(self) -> None:
        merging = DeltaTable(self.folder / "d").merge(
            self.rows(), predicate="t.id = s.id", source_alias="s", target_alias="t")
        merging.when_matched_update({"n": "s.n", "word": "s.word"}).execute()

    def compact(self) -> None:
        DeltaTable(self.folder / "d").optimize.compact()

    def checkpoint(self) -> None:
        DeltaTable(self.folder / "d").create_checkpoint()

    def add_column(self) -> None:
        self.extra += 1
        self.append()

    def relabel(self) -> None:
        write_deltalake(self.folder / "e", self.labels(), mode="overwrite")

    def replace_file(self) -> None:
        path = self.folder / "files" / "a.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{self.chance.randrange(100)},{self.chance.choice(['red', 'blue'])}" for _ in range(30)]
        path.write_text("\n".join(["id,word", *lines, ""]))
        # Old enough to be known to stay.
        at = time.time() - 100_000 + self.chance.randrange(50_000)
        os.utime(path, (at, at))

    def change(self) -> str:
        change = self.chance.choice([
            self.append, self.append, self.append, self.overwrite, self.delete, self.update, self.merge, self.compact,
            self.checkpoint, self.add_column, self.relabel, self.make_anew, self.replace_file,
        ])
        change()
        return change.__name__


def bag(rows) -> Counter:
    return Counter(tuple(str(value) for value in row) for row in rows)


class Gateway:
    """Sessions in several styles, and what they are asked."""

    def __init__(self, host: str, port: str):
        place = {"host": host, "port": port, "dbname": "lake", "autocommit": True, "user": "t"}
        self.sessions = []
        for style in STYLES:
            session = psycopg.connect(**place)
            for kind in ("timestamptz", "timestamp", "date", "bytea", "float8"):
                session.adapters.register_loader(kind, TextLoader)
            for setting in [*style, "lakegate.result_cache = 'off'", "lakegate.rewrite = 'off'"]:
                session.execute(f"set {setting}")
            self.sessions.append(session)
        self.admin = self.sessions[0]

    def ask(self, session, sql: str):
        try:
            return bag(session.execute(sql).fetchall())
        except psycopg.Error as error:
            return error.sqlstate

    def is_stored(self, view: str, session=None) -> bool:
        """Whether the view itself is read from its stored rows, or what it reads below it."""
        lines = (session or self.admin).execute(f"explain select * from {view}").fetchall()
        return any(line.startswith(f"Materialized View: {view} ") for (line,) in lines)


def check_reader(gateway: Gateway, state: Path, view: str, tables: Tables) -> None:
    """Other readers find the rows, and of what they were made."""
    schema, name = view.split(".")
    path = state / "materialized" / schema / name
    stored = DeltaTable(path)
    said = stored.history(1)[0]["lakegate"]
    expected = {f"s.{table}": f"v{DeltaTable(tables.folder / table).version()}" for table in ("d", "e")}
    for given in said["inputs"]:
        if given["relation"] in expected:
            assert given["version"] == expected[given["relation"]], (view, given, expected)
    n_rows = gateway.admin.execute(f"select count(*) from {view}").fetchone()[0]
    assert stored.to_pyarrow_table().num_rows == n_rows, (view, n_rows)
    if view == "m.by_word":
        own = gateway.admin.execute("select word, n_rows, total, most from m.by_word").fetchall()
        other = duckdb.execute(f"select word, n_rows, total, most from delta_scan('{path}')").fetchall() if has_delta() else [
            (row["word"], row["n_rows"], row["total"], row["most"]) for row in stored.to_pyarrow_table().to_pylist()]
        assert bag(own) == bag(other), (own, other)
    if view == "m.kinds":
        # Names that Delta does not take have others, and DuckDB reads the files as they are.
        files = stored.file_uris()
        if files:
            names = [row[0] for row in duckdb.execute(f"describe select * from read_parquet({files!r})").fetchall()]
            assert names == ["id", "column_2", "v", "Price", "u", "day"], names


def has_delta() -> bool:
    """DuckDB's own reader of Delta is an extension that may not be at hand."""
    try:
        duckdb.execute("load delta")
        return True
    except duckdb.Error:
        return False


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--make", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("LAKEGATE_TEST_SEED") or random.randrange(10**6)))
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    chance = random.Random(arguments.seed)
    tables = Tables(arguments.make, chance)
    gateway = Gateway(*arguments.gateway.rsplit(":", 1))
    admin = gateway.admin
    admin.execute("create schema m")
    admin.execute("create view s.v as select id, id % 2 as parity from s.d")
    for name, (query, _, _) in VIEWS.items():
        data = chance.choice(["", " with no data", " with data"])
        admin.execute(f"create materialized view {name} with (refresh = 'manual') as {query}{data}")
    counts = Counter()
    instants = []
    for step in range(arguments.steps):
        done = tables.change()
        if chance.random() < 0.15:
            modulus = chance.randint(2, 4)
            admin.execute(f"create or replace view s.v as select id, id % {modulus} as parity from s.d")
            done += ", redefined"
        if done.startswith("make_anew"):
            instants.clear()
        time.sleep(0.02)
        instants.append(datetime.now(timezone.utc))
        time.sleep(0.02)
        refreshed = [view for view in VIEWS if chance.random() < 0.5]
        for view in sorted(VIEWS, key=lambda _: chance.random()):
            if view in refreshed:
                full = chance.choice(["", " with full"])
                admin.execute(f"refresh materialized view {view}{full}")
                check_reader(gateway, arguments.state, view, tables)
        where = f"seed {arguments.seed}, step {step} ({done})"
        for view, (query, is_of_style, _) in VIEWS.items():
            for session in gateway.sessions:
                given, right = gateway.ask(session, f"select * from {view}"), gateway.ask(session, query)
                assert given == right, f"{where}: {view}: {given} is not {right}"
                counts["asked"] += 1
                is_stored = gateway.is_stored(view, session)
                counts["stored"] += is_stored
                is_default = session is admin
                # What was refreshed is read, wherever zone and style do not decide about it.
                if view in refreshed and (is_default or not is_of_style):
                    if "DateStyle" not in str(STYLES[gateway.sessions.index(session)]):
                        assert is_stored, f"{where}: the stored rows of {view} were not read"
        # At an earlier moment.
        instant = chance.choice(instants) + timedelta(milliseconds=1)
        admin.execute(f"set lakegate.as_of = '{instant.isoformat()}'")
        for view, (query, _, has_files) in VIEWS.items():
            if not has_files:
                given, right = gateway.ask(admin, f"select * from {view}"), gateway.ask(admin, query)
                assert given == right, f"{where}: {view} at {instant}: {given} is not {right}"
                counts["past"] += 1
                if not isinstance(right, str):
                    counts["past stored"] += gateway.is_stored(view)
        admin.execute("reset lakegate.as_of")
    # In the end all are refreshed, and a second time nothing is stored.
    for view in VIEWS:
        admin.execute(f"refresh materialized view {view}")
    before = admin.execute("select count(*) from lakegate.refreshes").fetchone()
    for view in VIEWS:
        admin.execute(f"refresh materialized view {view}")
        assert gateway.is_stored(view), view
    assert admin.execute("select count(*) from lakegate.refreshes").fetchone() == before
    told = admin.execute("select count(*) from lakegate.matviews where populated and not stale and last_error is null").fetchone()
    assert told == (len(VIEWS),), told
    assert counts["past stored"] > 0, counts
    print(dict(counts))


if __name__ == "__main__":
    sys.exit(main())
