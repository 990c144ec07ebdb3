#!/usr/bin/env python3
"""Reads every kind of relation at a version, at an instant and at a snapshot, by every way to say it, and
compares with what Python's deltalake reads of those versions.
"""

import argparse
import datetime as dt
import itertools
import os
import subprocess
import sys
import urllib.parse
from collections import Counter
from pathlib import Path

import pg8000.dbapi
import psycopg
import psycopg2
import pyarrow as pa
import pyodbc
from deltalake import DeltaTable, write_deltalake

UTC = dt.timezone.utc
START = dt.datetime(2026, 3, 1, tzinfo=UTC)
HOUR = dt.timedelta(hours=1)
N_VERSIONS = 5
SNAPSHOT = "month_end"

VIEWS = """
create view h.v as select id, n * 2 as twice from h.a where n > 1;
create view h.vv as select twice, count(*) as many from h.v group by twice;
"""

# How a table is named at a moment: `{t}` is the table, `{m}` the moment.
BY_VERSION = {
    "SQL:2011": "{t} for system_version as of {m}",
    "Databricks": "{t} version as of {m}",
    "Trino": "{t} for version as of {m}",
    "Snowflake": "{t} at (version => {m})",
    "expression": "{t} VERSION AS OF (1 + {m} - 1)",
    "quoted name": '{s}."{n}@v{m}"',
}
BY_INSTANT = {
    "SQL:2011": "{t} FOR SYSTEM_TIME AS OF timestamptz '{m}'",
    "Databricks": "{t} timestamp as of '{m}'",
    "Trino": "{t} for timestamp as of timestamp with time zone '{m}'",
    "Snowflake": "{t} at (timestamp => '{m}'::timestamptz)",
    "expression": "{t} timestamp as of timestamptz '{m}' + interval '1 month' - interval '1 month'",
    "quoted name": '{s}."{n}@{m}"',
}
BY_NAME = {
    "SQL:2011": "{t} for system_time as of '{m}'",
    "Databricks": "{t} version as of '{m}'",
    "Trino": "{t} for version as of '{m}'",
    "Snowflake": "{t} at (version => '{m}')",
    "expression": "{t} version as of lower(upper('{m}'))",
    "quoted name": '{s}."{n}@{m}"',
}

RELATIONS = ("a", "p", "v", "vv")

# What is asked: `{a}`, `{p}`, `{v}` and `{vv}` are relations at the moment.
QUERIES = {
    "table": "select * from {a}",
    "partitioned table": "select * from {p}",
    "view": "select * from {v}",
    "view on view": "select * from {vv}",
    "join of two tables": "select a.id, a.n, p.part from {a} as a join {p} as p on p.id = a.id",
    "CTE": "with c as (select * from {a}) select id, n + 1 from c",
    "subquery": "select * from (select id from {a} where n in (select n from {p})) as _ limit 1000",
    "exists": "select count(*) from {a} where exists (select 1 from {p} as q where q.n > 0)",
}


def truth(kind: str, a: list[dict], p: list[dict]) -> Counter:
    """The same in Python, of the rows of both tables."""
    view = [(row["id"], row["n"] * 2) for row in a if row["n"] > 1]
    return {
        "table": lambda: Counter(tuple(row.values()) for row in a),
        "partitioned table": lambda: Counter(tuple(row.values()) for row in p),
        "view": lambda: Counter(view),
        "view on view": lambda: Counter(Counter(twice for _, twice in view).items()),
        "join of two tables": lambda: Counter(
            (x["id"], x["n"], y["part"]) for x, y in itertools.product(a, p) if x["id"] == y["id"]
        ),
        "CTE": lambda: Counter((row["id"], row["n"] + 1) for row in a),
        "subquery": lambda: Counter((row["id"],) for row in a if row["n"] in {other["n"] for other in p}),
        "exists": lambda: Counter([(len(a) if any(row["n"] > 0 for row in p) else 0,)]),
    }[kind]()


def make(lake: Path) -> dict[str, list[list[dict]]]:
    """Two tables, one partitioned, whose commits take turns every half hour: their rows by version."""
    rows: dict[str, list[list[dict]]] = {"a": [], "p": []}
    for name, version in itertools.product(rows, range(N_VERSIONS)):
        path = lake / "h" / name
        ids = list(range(version * 4, version * 4 + 6))
        table = pa.table({
            "id": pa.array(ids, pa.int64()),
            "n": pa.array([i % (3 + version) for i in ids], pa.int64()),
            **({"part": pa.array(["xyz"[i % 3] for i in ids])} if name == "p" else {}),
        })
        write_deltalake(path, table, mode="overwrite" if version == 3 else "append",
                        partition_by=["part"] if name == "p" else None)
        at = START + version * HOUR + (dt.timedelta(minutes=30) if name == "p" else dt.timedelta())
        commit = path / "_delta_log" / f"{version:020}.json"
        os.utime(commit, (at.timestamp(), at.timestamp()))
        rows[name].append(DeltaTable(path, version=version).to_pyarrow_table().to_pylist())
    return rows


def versions_at(at: dt.datetime) -> tuple[int, int]:
    half = dt.timedelta(minutes=30)
    return (at - START) // HOUR, (at - START - half) // HOUR


class Asking:
    """Asks, and keeps what differs."""

    def __init__(self, rows: dict[str, list[list[dict]]]):
        self.rows, self.problems, self.n_asked = rows, [], 0

    def ask(self, connection, what: str, named, at: tuple[int, int], parameters=None) -> None:
        a, p = self.rows["a"][at[0]], self.rows["p"][at[1]]
        for kind, query in QUERIES.items():
            sql = query.format(**{name: named(name) for name in RELATIONS})
            expected = truth(kind, a, p)
            self.check(f"{what}, {kind}: {sql}", connection, expected, lambda cursor: cursor.execute(
                sql, parameters, prepare=parameters is not None))
            if parameters is None:
                texts = Counter({tuple(str(value) for value in row): n for row, n in expected.items()})
                self.check(f"{what}, {kind}, COPY: {sql}", connection, texts, lambda cursor: copied(cursor, sql))

    def check(self, what: str, connection, expected: Counter, run) -> None:
        self.n_asked += 1
        try:
            with connection.cursor() as cursor:
                found = Counter(run(cursor))
        except psycopg.Error as error:
            self.problems.append(f"{what}: {error.sqlstate} {error}")
            connection.rollback()
            return
        if found != expected:
            self.problems.append(f"{what}: {dict(found)}, not {dict(expected)}")


def copied(cursor, sql: str) -> list[tuple]:
    with cursor.copy(f"copy ({sql}) to stdout") as rows:
        return list(rows.rows())


def of_session(query: str) -> str:
    """A query in a session that says the moment."""
    return query.format(**{relation: f"h.{relation}" for relation in RELATIONS})


def drivers(asking: Asking, host: str, port: str, at: dt.datetime, versions: tuple[int, int]) -> None:
    """Other drivers, in which a database is all that one can say."""
    database = f"lake@{at.strftime('%Y-%m-%d %H:%M:%S')}"
    odbc = next(Path("/usr/lib").glob("*/odbc/psqlodbcw.so"))
    connects = {
        "psycopg2": lambda: psycopg2.connect(host=host, port=port, dbname=database, user="t"),
        "pg8000": lambda: pg8000.dbapi.connect(host=host, port=int(port), database=database, user="t"),
        "psqlODBC": lambda: pyodbc.connect(
            f"Driver={odbc};Server={host};Port={port};Database={database};Uid=t;Pwd=;SSLmode=disable", autocommit=True),
    }
    for name, connect in connects.items():
        for kind, query in QUERIES.items():
            connection = connect()
            cursor = connection.cursor()
            cursor.execute(of_session(query))
            found = Counter(tuple(row) for row in cursor.fetchall())
            expected = truth(kind, asking.rows["a"][versions[0]], asking.rows["p"][versions[1]])
            asking.n_asked += 1
            if found != expected:
                asking.problems.append(f"{name}, {kind}: {dict(found)}, not {dict(expected)}")
            connection.close()


def catalog(asking: Asking, connect, lake: Path) -> None:
    """The columns and tables of that day are those that tools list."""
    path = lake / "h" / "grown"
    for version in range(3):
        columns = {f"c{number}": pa.array([1], pa.int64()) for number in range(version + 1)}
        write_deltalake(path, pa.table(columns), mode="append", schema_mode="merge")
        at = (START + (version + 1) * HOUR).timestamp()
        os.utime(path / "_delta_log" / f"{version:020}.json", (at, at))
    listed = """select count(*) from information_schema.columns where table_schema = 'h' and table_name = 'grown'"""
    tables = "select count(*) from pg_class where relname = 'grown'"
    for hours, n_columns in [(0.5, 0), (1, 1), (2.5, 2), (9, 3)]:
        at = START + hours * HOUR
        with connect(database=f"lake@{at.isoformat()}") as connection:
            found = [connection.execute(sql).fetchone()[0] for sql in (listed, tables)]
            asking.n_asked += 1
            if found != [n_columns, int(n_columns > 0)]:
                asking.problems.append(f"catalog at {at}: {found}, not {n_columns} columns")
    with connect() as connection:
        names = [name for (name,) in connection.execute("select datname from pg_database order by 1")]
        saved = connection.execute("select snapshot_name, tables, comment from lakegate.snapshots").fetchall()
    if f"lake@{SNAPSHOT}" not in names or saved != [(SNAPSHOT, 2, "The end of the month.")]:
        asking.problems.append(f"snapshots are listed as {names} and {saved}")


def jdbc(asking: Asking, host: str, port: str) -> None:
    """PostgreSQL's JDBC driver sees the rows and the columns of that day."""
    at = START + dt.timedelta(minutes=150)
    database = urllib.parse.quote(f"lake@{at.strftime('%Y-%m-%d %H:%M:%S')}", safe="")
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/postgresql.jar",
               str(Path(__file__).parent / "AtMoment.java"), f"{host}:{port}", database, "h", "grown"]
    queries = "".join(of_session(query) + "\n" for query in QUERIES.values())
    came = subprocess.run(command, input=queries, capture_output=True, text=True)
    *answers, columns = came.stdout.split("\n\n") if came.stdout else [""]
    versions = versions_at(at)
    for kind, answer in itertools.zip_longest(QUERIES, answers):
        expected = truth(kind, asking.rows["a"][versions[0]], asking.rows["p"][versions[1]])
        texts = Counter({tuple(str(value) for value in row): n for row, n in expected.items()})
        found = Counter(tuple(line.split("\t")) for line in (answer or "").splitlines())
        asking.n_asked += 1
        if found != texts:
            asking.problems.append(f"pgjdbc, {kind}: {dict(found)}, not {dict(texts)}: {came.stderr[-500:]}")
    if columns.split() != ["c0", "c1"]:
        asking.problems.append(f"pgjdbc lists the columns {columns.split()}: {came.stderr[-500:]}")


def beginnings(asking: Asking, connect) -> None:
    """Sessions that begin at a moment because their role, or the database, does. From here on there are roles."""
    at = START + dt.timedelta(minutes=95)
    named = versions_at(START + dt.timedelta(minutes=130))
    plain = lambda name: f"h.{name}"
    with connect() as connection:
        connection.execute("create role t superuser login password 'moments'")
    as_owner = lambda: connect(user="t", password="moments")
    with as_owner() as connection:
        connection.execute("create role auditor login password 'moments'")
        connection.execute("grant usage on schema h to auditor")
        connection.execute("grant select on all tables in schema h to auditor")
    for change, versions in [
        (f"alter role auditor set lakegate.as_of = '{at.isoformat()}'", versions_at(at)),
        ("alter role auditor reset lakegate.as_of", (N_VERSIONS - 1, N_VERSIONS - 1)),
        (f"alter database lake set lakegate.as_of = '{SNAPSHOT}'", named),
        (f"alter role auditor in database lake set lakegate.as_of to '{at.isoformat()}'", versions_at(at)),
        ("alter role auditor in database lake reset all", named),
    ]:
        with as_owner() as connection:
            connection.execute(change)
        with connect(user="auditor", password="moments") as connection:
            asking.ask(connection, change, plain, versions)


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--make", type=Path)
    arguments.add_argument("--gateway")
    given = arguments.parse_args()
    asking = Asking(make(given.make))
    host, port = given.gateway.split(":")

    def connect(database="lake", user="t", **others):
        return psycopg.connect(host=host, port=port, dbname=database, user=user, autocommit=True, **others)

    def written(form: str, moment: str):
        return lambda name: form.format(t=f"h.{name}", s="h", n=name, m=moment)

    plain = written("{t}", "")
    instants = [START + dt.timedelta(minutes=minutes) for minutes in (30, 95, 150, 239, 600)]
    clamped = lambda at: tuple(min(version, N_VERSIONS - 1) for version in versions_at(at))
    with connect() as connection:
        for statement in VIEWS.strip().split("\n"):
            connection.execute(statement)
        saved = START + dt.timedelta(minutes=130)
        connection.execute(f"create snapshot {SNAPSHOT} as of '{saved.isoformat()}' comment 'The end of the month.'")
        named = versions_at(saved)
        for way, form in BY_VERSION.items():
            for version in range(N_VERSIONS):
                asking.ask(connection, f"{way}, version {version}", written(form, str(version)), (version, version))
        for way, form in BY_INSTANT.items():
            for at in instants:
                asking.ask(connection, f"{way}, {at}", written(form, at.isoformat()), clamped(at))
        for way, form in BY_NAME.items():
            asking.ask(connection, f"{way}, {SNAPSHOT}", written(form, SNAPSHOT), named)
        # Parameters, each used once or twice by name.
        form = "{t} version as of %(m)s"
        asking.ask(connection, "parameter", written(form, ""), (2, 2), {"m": 2})
        form = "{t} timestamp as of %(m)s"
        asking.ask(connection, "parameter", written(form, ""), clamped(instants[1]), {"m": instants[1]})
        for at, versions in [(instants[1].isoformat(), clamped(instants[1])), (SNAPSHOT, named)]:
            connection.execute(f"set lakegate.as_of = '{at}'")
            asking.ask(connection, f"set {at}", plain, versions)
            connection.execute("reset lakegate.as_of")
            with connection.transaction():
                connection.execute(f"set local lakegate.as_of = '{at}'")
                asking.ask(connection, f"set local {at}", plain, versions)
            asking.ask(connection, "after set local", plain, (N_VERSIONS - 1, N_VERSIONS - 1))
    for at, versions in [(instants[2].isoformat(), clamped(instants[2])), (SNAPSHOT, named)]:
        with connect(database=f"lake@{at}") as connection:
            asking.ask(connection, f"database lake@{at}", plain, versions)
        with connect(options=f"-c lakegate.as_of={at}") as connection:
            asking.ask(connection, f"options {at}", plain, versions)
    drivers(asking, host, port, instants[2], clamped(instants[2]))
    catalog(asking, connect, given.make)
    jdbc(asking, host, port)
    beginnings(asking, connect)
    for problem in asking.problems[:20]:
        print("ERROR", problem, file=sys.stderr)
    print(f"{asking.n_asked} asked, {len(asking.problems)} wrong")
    return 1 if asking.problems else 0


if __name__ == "__main__":
    sys.exit(main())
