#!/usr/bin/env python3
"""Compares `lakegate.changes` and `lakegate.diff` with the difference of bags, which Python computes of what
either moment answers, for tables and for views with joins and aggregates, over random histories.
"""

import argparse
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path

import psycopg
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

VIEWS = """
create view h.joined as select f.id, f.n, d.label from h.facts f join h.labels d on d.n = f.n;
create view h.counted as select n, count(*) as many, sum(id) as total from h.facts group by n;
create view h.twice as select n % 2 as odd, sum(many) as many from h.counted group by 1;
"""

# The relations, and the columns that tell one of their rows from another.
RELATIONS = {"facts": "id", "joined": "id, label", "counted": "n", "twice": "odd"}


def make(lake: Path, seeded: random.Random) -> list[int]:
    """Two tables that change by turns; the milliseconds of their commits, which are a second apart."""
    at = 1_767_225_600
    moments = []
    known = {"labels": -1, "facts": -1}
    labels = pa.table({"n": pa.array(range(4), pa.int64()), "label": pa.array(list("abcd"))})
    for step in range(14):
        name = "labels" if step in (0, 5, 9) else "facts"
        path = lake / "h" / name
        exists = (path / "_delta_log").exists()
        choice = seeded.choice(["append", "append", "update", "delete"]) if exists else "append"
        n_rows = seeded.randint(1, 8)
        facts = pa.table({"id": pa.array([seeded.randint(0, 20) for _ in range(n_rows)], pa.int64()),
                          "n": pa.array([seeded.randint(0, 4) for _ in range(n_rows)], pa.int64())})
        if name == "labels" or choice == "append":
            write_deltalake(path, labels if name == "labels" else facts, mode="append")
        elif choice == "update":
            DeltaTable(path).update(updates={"n": "n + 1"}, predicate=f"id % {seeded.randint(2, 5)} = 0")
        else:
            DeltaTable(path).delete(f"id % {seeded.randint(3, 7)} = 1")
        version = DeltaTable(path).version()
        if version == known[name]:
            # There was nothing to change.
            continue
        known[name] = version
        at += 1
        os.utime(path / "_delta_log" / f"{version:020}.json", (at, at))
        moments.append(at)
    return moments[1:]


def make_apart(lake: Path) -> None:
    """A table of two versions whose common file is gone: only what is different can be read."""
    path = lake / "h" / "apart"
    write_deltalake(path, pa.table({"n": pa.array([1, 2], pa.int64())}))
    (common,) = path.glob("*.parquet")
    write_deltalake(path, pa.table({"n": pa.array([3, 3], pa.int64())}), mode="append")
    common.unlink()


def of_apart(connection: psycopg.Connection) -> list[str]:
    """What is wrong with the differences of that table: they are to be read without the files that both versions have."""
    problems = []
    for call, expected in (("0, 1", [("insert", 3), ("insert", 3)]), ("1, 0", [("delete", 3), ("delete", 3)])):
        found = connection.execute(f"select * from lakegate.changes('h.apart', {call})").fetchall()
        if found != expected:
            problems.append(f"changes('h.apart', {call}): {found}, not {expected}")
    try:
        # Of less than all rows nothing is known of the files.
        connection.execute("select * from h.apart version as of 1 where n > 0 except all select * from h.apart version as of 0")
        problems.append("a file that is gone was read")
    except psycopg.errors.UndefinedFile:
        pass
    return problems


def of_twins(connection: psycopg.Connection, lake: Path) -> list[str]:
    """What is wrong with a statement that names the version which is the latest when it is first said, and no more when it is said again."""
    path = lake / "h" / "twins"
    sql = "select (select count(*) from h.twins), (select count(*) from h.twins version as of 0)"
    problems = []
    for n_rows in (1, 2, 3):
        write_deltalake(path, pa.table({"n": pa.array([n_rows], pa.int64())}), mode="append")
        found = connection.execute(sql).fetchone()
        if found != (n_rows, 1):
            problems.append(f"{sql}: {found}, not {(n_rows, 1)}")
    return problems


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--make", type=Path)
    arguments.add_argument("--seed", type=int, default=int(os.environ.get("LAKEGATE_TEST_SEED", "7")))
    arguments.add_argument("--gateway")
    given = arguments.parse_args()
    seeded = random.Random(given.seed)
    moments = make(given.make, seeded)
    make_apart(given.make)
    host, port = given.gateway.split(":")
    problems, n_changes = [], 0
    with psycopg.connect(host=host, port=port, dbname="lake", user="t", autocommit=True) as connection:
        for statement in VIEWS.strip().split("\n"):
            connection.execute(statement)

        def rows(sql: str) -> Counter:
            return Counter(connection.execute(sql).fetchall())

        for relation, key in RELATIONS.items():
            described = connection.execute(f"select * from h.{relation} limit 0").description
            names = [column.name for column in described]
            for _ in range(12):
                old, new = (f"to_timestamp({seeded.choice(moments)})" for _ in range(2))
                was, becomes = (rows(f"select * from h.{relation} timestamp as of {at}") for at in (old, new))
                expected = Counter({("delete", *row): n for row, n in (was - becomes).items()})
                expected.update({("insert", *row): n for row, n in (becomes - was).items()})
                call = f"('h.{relation}', {old}, {new}"
                found = rows(f"select * from lakegate.changes{call})")
                n_changes += sum(found.values())
                if found != expected:
                    problems.append(f"changes{call}): {dict(found)}, not {dict(expected)}")
                for with_key in (f"{call})", f"{call}, '{key}')"):
                    sides = {"old": Counter(), "new": Counter()}
                    for _, before, after, change in connection.execute(f"select * from lakegate.diff{with_key}"):
                        for side, row in (("old", before), ("new", after)):
                            if row is not None:
                                sides[side][json.dumps([row[name] for name in names])] += 1
                        kinds = {(True, False): "insert", (False, True): "delete", (False, False): "update"}
                        if kinds.get((before is None, after is None)) != change:
                            problems.append(f"diff{with_key}: {change} from {before} to {after}")
                    texts = lambda bag: Counter({json.dumps([str(v) for v in row]): n for row, n in bag.items()})
                    if sides != {"old": texts(was - becomes), "new": texts(becomes - was)}:
                        problems.append(f"diff{with_key}: {sides}")
        problems += of_apart(connection)
        problems += of_twins(connection, given.make)
    for problem in problems[:10]:
        print("ERROR", problem[:600], file=sys.stderr)
    print(f"{n_changes} changes, {len(problems)} problems")
    return 1 if problems or not n_changes else 0


if __name__ == "__main__":
    sys.exit(main())
