#!/usr/bin/env python3
"""Every operation of every writer, and after each commit random GROUP BY queries: with views and without, the rows are the same.

    python3 operations.py --program PATH [--seed N] [--queries N] [--replayed-queries N] [--tell]

* A table by Python's deltalake and by commits written in increments.py is appended to, deleted from, updated, merged into, overwritten, optimized,
  given deletion vectors and a column, and vacuumed, in any order.
* Tables that Spark and Databricks have written (tests/data/spark) are written once more, commit after commit, as they were.
After each commit so many queries are asked, half of them before some of the materialized views are refreshed and half after that, with
`lakegate.rewrite` on and off: the rows must be the same, and those that DuckDB finds in what the files of the log have, or for Spark's tables in
what a reader that shares no code with the gateway's has read. Of the queries that a view has the rows for the share that reads one is counted,
and beside them those for which the gateway finds the table no more work to read, as so much of these small tables has changed at once.
Each operation must have occurred; how often is printed.
"""

import argparse
import json
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import duckdb
import increments
import pyarrow as pa
import pyarrow.parquet as pq
from program import Program
from rewriting import Definition, Query, Sessions, Words, check, used

SPARK = Path(__file__).resolve().parent.parent / "data/spark"
OPERATIONS = ["append", "delete", "update", "merge", "overwrite", "optimize", "deletion vectors", "schema change", "vacuum"]
N_VIEWS = 6
# Of queries that a view has the rows for, the share that must read one: at any time, after it was refreshed, and after rows came alone and before that.
# With few queries "at any time" depends on which views there are, and what becomes of the table: then it is told, and no more.
N_QUERIES_MIN = 1_000
GOALS = {"at any time": 0.6, "after a refresh": 0.6, "after appends": 0.9}


class Made(increments.Table):
    """The table of increments.py with what rewriting.py asks for, and one of each operation, in any order."""

    words = Words()

    def __init__(self, folder: Path, chance: random.Random):
        super().__init__(folder, chance)
        while not self.has_vectors:
            self.make_anew()
        by_operation = dict(zip(OPERATIONS, [
            self.append, self.delete_few, self.update, self.merge, self.overwrite, self.compact, self.mark, self.add_column, self.vacuum]))
        again = [("append", self.append_twice), ("append", self.append), ("deletion vectors", self.mark), ("delete", self.delete),
                 ("update", self.update_few)]
        self.left = [*by_operation.items(), *again]
        chance.shuffle(self.left)

    def rows(self, n_rows: int | None = None) -> pa.Table:
        rows = super().rows(n_rows)
        data = [self.chance.choice([None, b"", b"\x00\xff"]) for _ in range(rows.num_rows)]
        return rows.append_column("data", pa.array(data, pa.binary()))

    def next(self) -> list[str] | None:
        """Does what comes next: the operations that it was."""
        if not self.left:
            return None
        operation, change = self.left.pop()
        change()
        return [operation]

    def found(self) -> pa.Table:
        """What the files have that the log names, without the rows that deletion vectors mark."""
        found = []
        for add in self.active():
            marked = set(add.get("_rows", ()))
            rows = pq.ParquetFile(self.folder / unquote(add["path"])).read().to_pylist()
            partition = {column: value or None for column, value in add["partitionValues"].items()}
            found += [row | partition for number, row in enumerate(rows) if number not in marked]
        return pa.Table.from_pylist(found, schema=self.rows(1).schema)


class Replayed:
    """A table that somebody else has written, commit after commit."""

    def __init__(self, name: str, folder: Path, chance: random.Random):
        self.source, self.folder, self.version = SPARK / name, folder / "s/d", -1
        shutil.copytree(self.source, self.folder, ignore=shutil.ignore_patterns("_delta_log"))
        (self.folder / "_delta_log").mkdir()
        self.expected = pq.read_table(SPARK / "expected" / f"{name}.parquet")
        self.next()
        actions = self.actions(0)
        schema = next(action["metaData"]["schemaString"] for action in actions if "metaData" in action)
        self.words = words_of(json.loads(schema)["fields"], self.expected, chance)

    def actions(self, version: int) -> list[dict]:
        text = (self.source / "_delta_log" / f"{version:020}.json").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def next(self) -> list[str] | None:
        log, own = self.source / "_delta_log", self.folder / "_delta_log"
        if not (log / f"{self.version + 1:020}.json").exists():
            return None
        self.version += 1
        for path in log.iterdir():
            # A compaction of commits, and a checkpoint, are there from the last version on that they have.
            last = json.loads(path.read_text())["version"] if path.name == "_last_checkpoint" else int(
                path.name.split(".")[1] if path.name.endswith(".compacted.json") else path.name.split(".")[0])
            if last <= self.version and not (own / path.name).exists():
                shutil.copyfile(path, own / path.name)
        return operations_of(self.actions(self.version))

    def found(self) -> pa.Table | None:
        """What another reader found in this version, if it has read that."""
        if self.version not in json.loads(self.expected.schema.metadata[b"versions"]):
            return None
        is_now = pa.compute.equal(self.expected["_version"], self.version)
        return self.expected.filter(is_now).drop_columns("_version")


def operations_of(actions: list[dict]) -> list[str]:
    """What a commit of Spark's is."""
    said = next((action["commitInfo"].get("operation", "") for action in actions if "commitInfo" in action), "")
    has_removed = any("remove" in action for action in actions)
    names = {"DELETE": "delete", "UPDATE": "update", "MERGE": "merge", "OPTIMIZE": "optimize", "RESTORE": "restore",
             "WRITE": "overwrite" if has_removed else "append", "SET TBLPROPERTIES": "schema change", "ADD COLUMNS": "schema change"}
    found = [names.get(said, "begin")]
    if any(action.get("add", {}).get("deletionVector") for action in actions):
        found.append("deletion vectors")
    return found


def words_of(fields: list[dict], expected: pa.Table, chance: random.Random) -> Words:
    """What may be asked of columns of these types, with values that there are."""
    words = Words({}, {}, [], ["count(*)"], [])
    for column in fields:
        name, kind = column["name"], column["type"]
        values = [value for value in expected[name].to_pylist() if value is not None] or [1]
        one, other = chance.choice(values), chance.choice(values)
        words.calls.append(f"count({name})")
        if kind in ("integer", "long", "short"):
            words.keys |= {name: [name, f"{name} + 1", f"{name} > {one}"], f"{name} % 5": [f"{name} % 5", f"({name} % 5) * 2"]}
            words.conditions |= {name: [f"{name} = {one}", f"{name} > {other}", f"{name} in ({one}, {other})", f"{name} is not null"],
                                 f"{name} % 5": [f"{name} % 5 = 2", f"{name} % 5 in (0, 1)"]}
            words.calls += [f"sum({name})", f"min({name})", f"max({name})", f"count(*) filter (where {name} > {one})"]
            words.whole += [f"avg({name})", f"count(distinct {name})"]
            words.others += [f"{name} <> {other}"]
        elif kind == "string":
            text = one.replace("'", "''")
            words.keys[name] = [name, f"upper({name})", f"length({name})", f"{name} is null"]
            words.conditions[name] = [f"{name} = '{text}'", f"{name} > '{text}'", f"{name} is not null", f"{name} like '%a%'"]
            words.calls += [f"min({name})", f"max({name})"]
            words.whole += [f"count(distinct {name})"]
        elif kind == "date":
            words.keys[name] = [name, f"{name} > date '{one}'", f"extract(year from {name})"]
            words.conditions[name] = [f"{name} >= date '{other}'"]
            words.calls += [f"min({name})", f"max({name})"]
        elif kind == "boolean":
            words.keys[name], words.conditions[name] = [name, f"not {name}"], [f"{name}", f"{name} is null"]
            words.calls += [f"bool_and({name})", f"bool_or({name})"]
    return words


def duck(rows: pa.Table | None) -> duckdb.DuckDBPyConnection | None:
    """These rows as DuckDB's."""
    if rows is None:
        return None
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.register("rows", rows)
    connection.execute("create table d as select * from rows")
    return connection


class History:
    """A table, views of it, and a gateway that refreshes nothing by itself."""

    def __init__(self, name: str, make, program: Path, arguments, chance: random.Random):
        self.name, self.chance, self.arguments = name, chance, arguments
        self.folder = tempfile.TemporaryDirectory(prefix="lakegate-operations-")
        root = Path(self.folder.name)
        self.table = make(root / "lake", chance)
        self.program = Program(program, ["--lake", str(root / "lake"), "--state", str(root / "state")])
        _, session = self.program.serve({})
        self.sessions = Sessions("127.0.0.1", session.info.port)
        self.admin = self.sessions.all[0]
        self.admin.execute("create schema m")
        self.views = [Definition(f"m.v{number}", chance, self.table.words) for number in range(N_VIEWS)]
        for view in self.views:
            self.admin.execute(f"create materialized view {view.name} with (refresh = 'manual') as {view.query()}")

    def run(self, n_queries: int, counts: Counter) -> None:
        step = 0
        while (operations := self.table.next()) is not None:
            at = f"seed {self.arguments.seed}, {self.name}, commit {step} ({', '.join(operations)})"
            counts.update((operation, "by Spark" if isinstance(self.table, Replayed) else "by Python") for operation in operations)
            other = duck(self.table.found())
            for view in self.views:
                view.is_followed = view.is_followed and view.has_states and operations == ["append"]
            self.ask(n_queries // 2, other, f"{at}, before", counts)
            self.admin.execute("set lakegate.rewrite = off")
            for view in self.views:
                view.is_fresh = self.chance.random() < 0.8
                if view.is_fresh:
                    self.admin.execute(f"refresh materialized view {view.name}")
                    view.is_followed = True
            self.ask(n_queries - n_queries // 2, other, f"{at}, after", counts)
            step += 1

    def ask(self, n_queries: int, other, at: str, counts: Counter) -> None:
        for _ in range(n_queries):
            query = Query(self.views, self.chance, self.table.words)
            check(self.sessions, query, other, self.chance, at, counts)
            if not query.could_be:
                continue
            told = used(self.admin, query.text)
            is_read = any(line.startswith("Materialized View: ") for line in told)
            is_before = at.endswith("before")
            if not is_read and f"Materialized View Not Used: {query.of.name} (no_gain)" in told:
                counts["no more work over the table"] += 1
                continue
            times = ["at any time"]
            if is_before and query.of.is_followed:
                times.append("after appends")
            if not is_before and query.of.is_fresh:
                times.append("after a refresh")
            for when in times:
                counts["could be", when] += 1
                counts["is read", when] += is_read
            if self.arguments.tell and not is_read:
                print(at, query.text, told)

    def end(self) -> None:
        self.program.stop()
        self.folder.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("LAKEGATE_TEST_SEED") or random.randrange(10**6)))
    asked = int(os.environ.get("LAKEGATE_TEST_GROUPINGS") or 0)
    parser.add_argument("--queries", type=int, default=asked or 40)
    parser.add_argument("--replayed-queries", type=int, default=asked or 8)
    parser.add_argument("--of", choices=["python", "spark"], help="who has written the tables, where not both")
    parser.add_argument("--only", help="the name of one table")
    parser.add_argument("--tell", action="store_true", help="prints the queries that no view was read for")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    chance = random.Random(arguments.seed)
    counts: Counter = Counter()
    names = sorted(path.name for path in SPARK.iterdir() if (path / "_delta_log").exists())
    of_spark = {name: lambda folder, chance, name=name: Replayed(name, folder, chance) for name in names}
    makers = {"python": {"made": Made}, "spark": of_spark}
    for writer in [arguments.of] if arguments.of else makers:
        for name, make in makers[writer].items():
            if arguments.only not in (None, name):
                continue
            started = time.monotonic()
            history = History(name, make, arguments.program, arguments, chance)
            try:
                history.run(arguments.queries if name == "made" else arguments.replayed_queries, counts)
            finally:
                history.end()
            print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    for key, count in sorted(counts.items(), key=str):
        print(key if isinstance(key, str) else ", ".join(key), count)
    if arguments.only is None:
        check_counts(counts, arguments.of)


def check_counts(counts: Counter, of: str | None) -> None:
    """Whether everything has occurred, and views were read as often as they are to be."""
    for operation in OPERATIONS:
        assert counts[operation, "by Python"] > 0 or of == "spark", operation
        # A vacuum of Spark's leaves no files to be read.
        assert counts[operation, "by Spark"] > 0 or of == "python" or operation == "vacuum", operation
    for when, goal in GOALS.items():
        if not counts["could be", when]:
            continue
        share = counts["is read", when] / counts["could be", when]
        print(f"{when}: of what a view has {share:.0%} was read from one")
        is_told = when == "at any time" and counts["asked"] < N_QUERIES_MIN
        assert share >= goal or is_told, counts


if __name__ == "__main__":
    main()
