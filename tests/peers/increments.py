#!/usr/bin/env python3
"""Materialized aggregates are kept up by what comes and goes: whatever happens to the table, a view gives what its query gives.

    python3 increments.py --gateway HOST:PORT --make FOLDER --state FOLDER [--seed N] [--steps N]

The gateway refreshes nothing by itself (`--poll 0`). A table is appended to, deleted from, updated, merged into, overwritten, compacted,
given deletion vectors, vacuumed, given a column, or made anew, by Python's deltalake and by commits written here. After every commit each
view is asked beside its own query, before a refresh and after it, and at earlier versions: the rows must be the same. Where rows only came,
the stored rows must have been used, and the refresh must have been incremental; `lakegate.refreshes` must say so, and why it was not.
Python's deltalake must read the view's own columns from the stored table, and states that are those of the rows.
"""

import argparse
import json
import os
import random
import shutil
import struct
import sys
import time
import uuid
import zlib
from collections import Counter
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

WORDS = ["red", "green", "blue", "grey", "été", None]

# Each materialized view: its query, and why it is never kept up, if it is not.
VIEWS = {
    "m.by_word": ("select word, count(*) as n_rows, count(n) as n_n, sum(n) as total, avg(n) as mean, sum(price) as price, avg(price) as mean_price "
                  "from s.d group by word", None),
    "m.extremes": ("select word, min(n) as least, max(at) as last, min(price) as cheapest, max(word || id::text) as longest, "
                   "bool_and(n > 1) as all_more, bool_or(n > 7) as any_more, count(*) from s.d group by word", None),
    "m.by_day": ("select date_trunc('month', day) as month, id % 5 as part, sum(big) as total, avg(big) as mean, avg(small) as mean_small, "
                 "count(*) filter (where n > 3) as n_more, sum(n) filter (where price > 50) as dear from s.d group by 1, 2", None),
    "m.all_rows": ("select count(*) as n_rows, sum(n) as total, avg(price) as mean, max(id) as most, count(word) as n_words from s.d", None),
    "m.hidden": ("select sum(price) / count(*) + 1 as mean, case when count(n) > 2 then 'many' else 'few' end as size from s.d "
                 "where id < 60 and word is not null group by word, part", None),
    "m.over_view": ("select parity, count(*) as n_rows, sum(n) as total from s.v where parity is not null group by parity", None),
    "m.typed": ("select part, day, count(*)::int as n_rows, sum(n)::text as total, sum(price)::numeric(12, 1) as price from s.d group by day, part", None),
    "m.spreads": ("select word, stddev(n) as by_n, var_pop(price) as by_price, variance(small) filter (where id > 5) as by_small, "
                  "stddev_pop(n) as pop, count(*) from s.d group by word", None),
    "m.wide_spread": ("select word, stddev(big) as by_big from s.d group by word", "type"),
    "m.floats": ("select word, sum(f) as total from s.d group by word", "float"),
    "m.float_key": ("select f, count(*) as n from s.d group by f", "float"),
    "m.having": ("select word, count(*) as n from s.d group by word having count(*) > 3", "having"),
    "m.kinds": ("select count(distinct word) as n from s.d", "distinct"),
    "m.ids": ("select word, array_agg(id order by id) as ids from s.d group by word", "aggregate"),
    "m.twice": ("select max(n) as n from (select count(*) as n from s.d group by word) as c", "grouped twice"),
    "m.joined": ("select e.label, count(*) as n from s.d d join s.e e on e.word = d.word group by 1", "tables"),
}
Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def z85(data: bytes) -> str:
    """RFC 32 of ZeroMQ; the length is a multiple of 4."""
    text = ""
    for at in range(0, len(data), 4):
        number = int.from_bytes(data[at:at + 4], "big")
        text += "".join(Z85[number // 85**power % 85] for power in (4, 3, 2, 1, 0))
    return text


def bitmap(rows: list[int]) -> bytes:
    """A RoaringBitmapArray of row numbers below 65536 (Delta protocol, "Deletion Vector Format")."""
    one = struct.pack("<II", 12346, 1) + struct.pack("<HH", 0, len(rows) - 1) + struct.pack("<I", 16)
    one += b"".join(struct.pack("<H", row) for row in sorted(rows))
    return struct.pack("<I", 1681511377) + struct.pack("<Q", 1) + struct.pack("<I", 0) + one


class Table:
    """A Delta table, and what may become of it."""

    def __init__(self, folder: Path, chance: random.Random):
        self.folder, self.chance = folder / "s" / "d", chance
        self.extra, self.has_vectors = 0, False
        # The rows that each deletion vector marks, by what the log says of it.
        self.marked: dict[str, list[int]] = {}
        self.make_anew()
        words = [word for word in WORDS if word]
        labels = pa.table({"word": pa.array(words), "label": pa.array([chance.choice("xyz") for _ in words])})
        write_deltalake(folder / "s" / "e", labels)

    def rows(self, n_rows: int | None = None) -> pa.Table:
        chance = self.chance
        ids = [chance.randrange(100) for _ in range(n_rows or chance.randint(1, 30))]
        days = [chance.randrange(19_000, 19_200) for _ in ids]
        columns = {
            "id": pa.array(ids, pa.int64()),
            "n": pa.array([chance.choice([None, 1, 2, 5, 9]) for _ in ids], pa.int32()),
            "small": pa.array([chance.choice([None, -3, 7]) for _ in ids], pa.int16()),
            "big": pa.array([chance.choice([None, 2**62, -(2**62), 17]) for _ in ids], pa.int64()),
            "f": pa.array([chance.choice([0.1, 1e9, float("nan"), -0.0, None]) for _ in ids], pa.float64()),
            "price": pa.array([chance.choice([None, Decimal(chance.randrange(-10_000, 10_000)) / 100]) for _ in ids], pa.decimal128(12, 2)),
            "word": pa.array([chance.choice(WORDS) for _ in ids], pa.string()),
            "day": pa.array(days, pa.date32()),
            "at": pa.array([chance.randrange(10**15, 2 * 10**15) for _ in ids], pa.timestamp("us", "UTC")),
            "part": pa.array([chance.choice(["a", "b c", None]) for _ in ids], pa.string()),
        }
        for number in range(self.extra):
            columns[f"extra{number}"] = pa.array([chance.choice([None, "x"]) for _ in ids], pa.string())
        return pa.table(columns)

    def table(self) -> DeltaTable:
        return DeltaTable(self.folder)

    def make_anew(self) -> None:
        self.extra = 0
        shutil.rmtree(self.folder, ignore_errors=True)
        self.has_vectors = self.chance.random() < 0.5
        configuration = {"delta.enableDeletionVectors": "true"} if self.has_vectors else {}
        partitions = self.chance.choice([None, ["part"]])
        write_deltalake(self.folder, self.rows(60), partition_by=partitions, configuration=configuration)
        if self.has_vectors:
            # The writer claims every feature that it knows, some of which a reader may not.
            commit = self.folder / "_delta_log" / f"{0:020}.json"
            actions = [json.loads(line) for line in commit.read_text().splitlines()]
            features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
            for action in actions:
                if "protocol" in action:
                    action["protocol"] = {"minReaderVersion": 3, "minWriterVersion": 7} | features
            commit.write_text("\n".join(json.dumps(action) for action in actions))
        # Several files: what becomes of one of them is less than to read all.
        for _ in range(6):
            self.append()

    def append(self) -> None:
        write_deltalake(self.folder, self.rows(), mode="append")

    def append_twice(self) -> None:
        self.append()
        self.append()

    def append_again(self) -> None:
        self.append()

    def append_nothing(self) -> None:
        write_deltalake(self.folder, self.rows().slice(0, 0), mode="append")

    def overwrite(self) -> None:
        write_deltalake(self.folder, self.rows(50), mode="overwrite")

    def delete(self) -> None:
        self.table().delete(f"id % {self.chance.randint(2, 9)} = 1")

    def delete_few(self) -> None:
        self.table().delete(f"id = {self.chance.randrange(100)}")

    def update_few(self) -> None:
        self.table().update(updates={"n": "9"}, predicate=f"id = {self.chance.randrange(100)}")

    def delete_word(self) -> None:
        self.table().delete("word = 'red'")

    def delete_all(self) -> None:
        self.table().delete()

    def update(self) -> None:
        self.table().update(updates={"n": "7"}, predicate=f"id % {self.chance.randint(2, 9)} = 0")

    def merge(self) -> None:
        seen = self.rows().group_by("id", use_threads=False).aggregate([("n", "max"), ("word", "max")])
        source = pa.table({"id": seen["id"], "n": seen["n_max"], "word": seen["word_max"]})
        merging = self.table().merge(source, predicate="t.id = s.id", source_alias="s", target_alias="t")
        merging = merging.when_matched_update({"n": "s.n", "word": "s.word"})
        merging.when_not_matched_insert({"id": "s.id", "n": "s.n", "word": "s.word"}).execute()

    def compact(self) -> None:
        self.table().optimize.compact()

    def append_and_compact(self) -> None:
        self.append()
        self.compact()

    def checkpoint(self) -> None:
        self.table().create_checkpoint()

    def add_column(self) -> None:
        self.extra += 1
        write_deltalake(self.folder, self.rows(), mode="append", schema_mode="merge")

    def vacuum(self) -> None:
        self.table().vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)

    def delete_and_vacuum(self) -> None:
        self.delete()
        self.vacuum()

    def mark(self) -> None:
        """Rows of a file are deleted by a deletion vector, in the log or in a file of its own."""
        table = self.table()
        adds = self.active()
        if not self.has_vectors or not adds:
            return self.append()
        add = self.chance.choice(adds)
        n_rows = pq.read_metadata(self.folder / unquote(add["path"])).num_rows
        known = set(add.get("_rows", ()))
        left = [row for row in range(n_rows) if row not in known]
        if n_rows == 0 or not left:
            return self.append()
        rows = sorted(known | set(self.chance.sample(left, self.chance.randint(1, len(left)))))
        data = bitmap(rows)
        if self.chance.random() < 0.5:
            padded = data + b"\0" * (-len(data) % 4)
            vector = {"storageType": "i", "pathOrInlineDv": z85(padded), "sizeInBytes": len(data), "cardinality": len(rows)}
        else:
            name = uuid.UUID(int=self.chance.getrandbits(128))
            framed = b"\x01" + struct.pack(">I", len(data)) + data + struct.pack(">I", zlib.crc32(data))
            (self.folder / f"deletion_vector_{name}.bin").write_bytes(framed)
            vector = {"storageType": "u", "pathOrInlineDv": z85(name.bytes), "offset": 1, "sizeInBytes": len(data), "cardinality": len(rows)}
        self.marked[vector["pathOrInlineDv"]] = rows
        gone = {"path": add["path"], "dataChange": True, "deletionTimestamp": 0, "extendedFileMetadata": True,
                "partitionValues": add["partitionValues"], "size": add["size"]}
        if add.get("deletionVector"):
            gone["deletionVector"] = add["deletionVector"]
        come = {key: add[key] for key in ("path", "partitionValues", "size", "modificationTime")}
        come |= {"dataChange": True, "deletionVector": vector, "stats": json.dumps({"numRecords": n_rows})}
        lines = [json.dumps({"commitInfo": {"operation": "DELETE"}}), json.dumps({"remove": gone}), json.dumps({"add": come})]
        (self.folder / "_delta_log" / f"{table.version() + 1:020}.json").write_text("\n".join(lines))

    def active(self) -> list[dict]:
        """The files of now, as the log names them; none if it does not tell from the beginning."""
        found: dict = {}
        log = self.folder / "_delta_log"
        for version in range(self.table().version() + 1):
            for line in (log / f"{version:020}.json").read_text().splitlines():
                action = json.loads(line)
                if gone := action.get("remove"):
                    found.pop(gone["path"], None)
                if come := action.get("add"):
                    found[come["path"]] = come
        adds = list(found.values())
        for add in adds:
            if vector := add.get("deletionVector"):
                add["_rows"] = self.marked.get(vector["pathOrInlineDv"], [])
        return adds

    def change(self, step: int) -> str:
        first = [self.append, self.mark, self.delete_few]
        change = first[step] if step < len(first) else self.chance.choice([
            self.append, self.append, self.append_again, self.delete_few, self.delete_few, self.update_few, self.update_few, self.append_twice, self.append_nothing, self.overwrite, self.delete, self.delete,
            self.delete_word, self.delete_all, self.update, self.update, self.merge, self.compact, self.append_and_compact, self.checkpoint,
            self.add_column, self.make_anew, self.vacuum, self.delete_and_vacuum, self.mark, self.mark, self.mark,
        ])
        change()
        return change.__name__


def bag(rows) -> Counter:
    return Counter(tuple(str(value) for value in row) for row in rows)


class Gateway:
    def __init__(self, host: str, port: str):
        self.session = psycopg.connect(host=host, port=port, dbname="lake", autocommit=True, user="t")
        self.session.execute("set lakegate.result_cache = 'off'")

    def ask(self, sql: str) -> Counter:
        return bag(self.session.execute(sql).fetchall())

    def stored(self, query: str, view: str) -> str | None:
        """What EXPLAIN says of a view's stored rows, if they are read."""
        for (line,) in self.session.execute(f"explain {query}").fetchall():
            if line.startswith(f"Materialized View: {view} ("):
                return line.removeprefix(f"Materialized View: {view} (").removesuffix(")")
        return None

    def refreshed(self, view: str) -> tuple:
        schema, name = view.split(".")
        return self.session.execute(
            "select kind, reason from lakegate.refreshes where schema_name = %s and view_name = %s order by ended_at desc limit 1",
            (schema, name)).fetchone()


def check_states(gateway: Gateway, state: Path, view: str, table: Table) -> None:
    """What other readers find: the view's own columns, and states as the commit tells of them."""
    schema, name = view.split(".")
    stored = DeltaTable(state / "materialized" / schema / name)
    said = stored.history(1)[0]["lakegate"]["states"]
    assert said["relation"] == "s.d" and said["version"] == table.table().version(), said
    assert said["n_files"] == len(table.table().file_uris()), said
    rows = stored.to_pyarrow_table()
    counted = next(column for column in said["columns"] if column["kind"] == "count")["column"]
    n_rows = sum(value for value in rows[counted].to_pylist())
    filters = {"m.hidden": " where id < 60 and word is not null", "m.over_view": " where id % 3 > 0"}.get(view, "")
    expected = gateway.session.execute(f"select count(*) from s.d{filters}").fetchone()[0]
    assert n_rows == expected, (view, n_rows, expected)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--make", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("LAKEGATE_TEST_SEED") or random.randrange(10**6)))
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    chance = random.Random(arguments.seed)
    table = Table(arguments.make, chance)
    gateway = Gateway(*arguments.gateway.rsplit(":", 1))
    execute = gateway.session.execute
    execute("create schema m")
    execute("create view s.v as select n, nullif(id % 3, 0) as parity from s.d")
    for view, (query, _) in VIEWS.items():
        execute(f"create materialized view {view} with (refresh = 'manual') as {query}")
    counts = Counter()
    # The versions that were stored since the table was made, and whether only rows came since the last refresh of each view.
    only_came = dict.fromkeys(VIEWS, True)
    # Whether rows came since. Once they are in other files with those of before, the table may be the shorter way.
    has_come = dict.fromkeys(VIEWS, False)
    version = table.table().version()
    for step in range(arguments.steps):
        done = table.change(step)
        if done == "make_anew":
            version = -1
        is_append = done in ("append", "append_again", "append_twice", "append_nothing", "checkpoint") or (
            done == "mark" and not table.has_vectors)
        is_nothing = done == "compact"
        now = table.table().version()
        where = f"seed {arguments.seed}, step {step} ({done}, version {now})"
        only_came = {view: came and (is_append or (is_nothing and not has_come[view])) for view, came in only_came.items()}
        has_come = {view: came or is_append for view, came in has_come.items()}
        for view in chance.sample(list(VIEWS), 8):
            query, never = VIEWS[view]
            given, right = gateway.ask(f"select * from {view}"), gateway.ask(query)
            assert given == right, f"{where}: {view}: {given - right} is not {right - given}"
            stored = gateway.stored(f"select * from {view}", view)
            counts["asked"] += 1
            counts["used where rows went"] += bool(stored and ", -" in stored)
            counts["used"] += never is None and stored is not None
            counts["could be used"] += never is None
            if never is None and only_came[view]:
                assert stored, f"{where}: {view} was not read"
                counts["combined"] += "file" in stored
            if chance.random() < 0.6:
                before = execute("select count(*) from lakegate.refreshes").fetchone()
                execute(f"refresh materialized view {view}{chance.choice(['', '', '', ' with full'])}")
                if execute("select count(*) from lakegate.refreshes").fetchone() != before:
                    kind, reason = gateway.refreshed(view)
                    counts[kind, reason] += 1
                    assert (kind == "whole") == (reason is not None), (kind, reason)
                    assert reason != "min or max" or view == "m.all_rows", f"{where}: {view}: {reason}"
                    if never and reason not in ("asked", never):
                        raise AssertionError(f"{where}: {view}: {kind} because of {reason}, not {never}")
                    if never is None and only_came[view] and reason != "asked":
                        assert kind == "incremental", f"{where}: {view}: {reason}"
                only_came[view], has_come[view] = True, False
                given = gateway.ask(f"select * from {view}")
                assert given == right, f"{where}: {view} refreshed: {given - right} is not {right - given}"
                assert "file" not in (gateway.stored(f"select * from {view}", view) or "file"), f"{where}: {view} refreshed"
                if never is None:
                    check_states(gateway, arguments.state, view, table)
        # At versions of before, where the table still has them.
        if version >= 0 and now > version:
            at = chance.randint(max(version, now - 3), now)
            one_table = [view for view, (query, _) in VIEWS.items() if "s.v" not in query and "s.e" not in query]
            for view in chance.sample(one_table, 4):
                past = VIEWS[view][0].replace("s.d", f"s.d version as of {at}")
                try:
                    right = gateway.ask(past)
                except psycopg.Error:
                    counts["gone"] += 1
                    continue
                given = gateway.ask(f"select * from {view} version as of {at}")
                assert given == right, f"{where}: {view} at version {at}: {given - right} is not {right - given}"
                counts["past"] += 1
        if version < 0:
            version = now
    for key, count in sorted(counts.items(), key=str):
        print(key, count)
    assert counts["incremental", None] > 0 and counts["combined"] > 0, counts


if __name__ == "__main__":
    sys.exit(main())
