#!/usr/bin/env python3
"""One file comes to a table of 10,000: what a query over a view of it and a refresh ask the store for, request by request.

    python3 counted.py --program PATH [--files N]

The lake and the state lie in a store that remembers what it is asked (store.py). The table has 10,000 files, which are one Parquet file under
10,000 names. A gateway has stored a view of it. Then a file is appended by Python's deltalake, and one row of an old file is updated: each time
a query that names the view, a query over the table that is answered from it, a refresh and the query again must ask for the files that came and
went, the commits and the view's own files, and for nothing else; a gateway that has just begun, for the log besides. What is answered is what
the files have that the log names, as pyarrow reads them.
"""

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake
from program import Program
from store import Door, Store

TABLE, VIEW = "lake/here/s/t", "lake/state/materialized/m/w"
QUERIES = ["select word, n, total from m.w order by word", "select word, count(*) as n, sum(id) as total from s.t group by word order by word"]
# What a statement or a refresh asks for at most, of all kinds together.
REQUESTS_MAX = 30


class World:
    """The table: what is added up in each of its files, by name."""

    def __init__(self, folder: Path, n_files: int):
        self.folder, self.store = folder, Store(folder)
        self.table = folder / TABLE
        rows = pa.table({"id": pa.array(range(10), pa.int64()), "word": pa.array(["red", "green"] * 5, pa.string())})
        write_deltalake(self.table, rows)
        commit = self.table / "_delta_log" / f"{0:020}.json"
        lines = commit.read_text().splitlines()
        add = next(json.loads(line) for line in lines if '"add"' in line)
        first = self.table / unquote(add["add"]["path"])
        for number in range(1, n_files):
            name = f"old-{number:05}.parquet"
            os.link(first, self.table / name)
            add["add"]["path"] = name
            lines.append(json.dumps(add))
        commit.write_text("\n".join(lines))
        views = folder / "lake/views/m"
        views.mkdir(parents=True)
        (views / "w.sql").write_text("create materialized view m.w with (refresh = 'manual') as "
                                     "select word, count(*) as n, sum(id) as total from s.t group by word;")
        # What each file of now has, by name; equal files are read once.
        self.sums: dict[int, Counter] = {}

    def names(self) -> set[str]:
        return {unquote(Path(path).name) for path in DeltaTable(self.table).file_uris()}

    def right(self) -> list[tuple]:
        total: Counter = Counter()
        for name in self.names():
            inode = (self.table / name).stat().st_ino
            if inode not in self.sums:
                self.sums[inode] = Counter()
                for row in pq.read_table(self.table / name).to_pylist():
                    self.sums[inode][row["word"], "n"] += 1
                    self.sums[inode][row["word"], "total"] += row["id"]
            total.update(self.sums[inode])
        return sorted((word, total[word, "n"], total[word, "total"]) for word in {word for word, _ in total})


class Asked:
    """What the store is asked for, and what may be asked for at a step."""

    def __init__(self, door: Door, world: World):
        self.door, self.world = door, world

    def begins(self, changed: set[str], is_new: bool = False) -> None:
        """Files of these names came or went. A gateway that has just begun may read all of the log."""
        self.changed, self.is_new = changed, is_new
        self.door.taken()

    def check(self, what: str) -> None:
        taken = self.door.taken()
        read = Counter(key for method, key in taken if method in ("GET", "HEAD"))
        rows = {Path(key).name for key in read if key.startswith(f"{TABLE}/") and "/_delta_log/" not in key}
        others = {key for key in read if not key.startswith((f"{TABLE}/", f"{VIEW}/", "lake/views/", "lake/state/"))}
        written = {key for method, key in taken if method == "PUT" and "/materialized/" in key}
        listed = [key for method, key in taken if method == "LIST" and key.startswith(TABLE) and "_delta_log" not in key]
        told = Counter(f"{method} {kind(key)}" for method, key in taken)
        print(f"{what}: {len(taken)} requests: " + ", ".join(f"{count} {name}" for name, count in sorted(told.items())))
        assert rows <= self.changed, f"{what}: {rows - self.changed}"
        assert not others, others
        assert all(key.startswith(f"{VIEW}/") for key in written), written
        assert self.is_new or not listed, f"{what}: the table's folder was listed"
        assert self.is_new or len(taken) <= REQUESTS_MAX, f"{what}: {taken}"


def kind(key: str) -> str:
    for prefix, name in ((TABLE, "table"), (VIEW, "view")):
        if key.startswith(prefix):
            return f"{name}'s log" if "_delta_log" in key else f"{name}'s files"
    return "other"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--files", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lakegate-counted-") as folder:
        started = time.monotonic()
        world = World(Path(folder), arguments.files)
        program = Program(arguments.program, ["--lake", "s3://lake/here", "--views", f"{folder}/lake/views", "--state", "s3://lake/state"])
        print(f"a table of {len(world.names())} files was made in {time.monotonic() - started:.1f} s")
        try:
            counted(world, program)
        finally:
            program.stop()


def counted(world: World, program: Program) -> None:
    # All files are read once, from the disk that is below the store: a table and a state are the same whatever way they are read.
    here = world.folder / "lake"
    local = Program(program.path, ["--lake", str(here / "here"), "--views", str(here / "views"), "--state", str(here / "state")])
    started = time.monotonic()
    process = local.start("refresh", {}, "m.w")
    assert process.wait(300) == 0, process.stdout.read()
    print(f"the view was stored in {time.monotonic() - started:.1f} s")
    door = Door(world.store)
    _, session = program.serve(door.environment())
    asked = Asked(door, world)
    assert session.execute(QUERIES[0]).fetchall() and len(door.requests) < 100, door.requests

    def ask(what: str, session, mark: str) -> None:
        for query in QUERIES:
            given = [(word, n, int(total)) for word, n, total in session.execute(query).fetchall()]
            assert given == world.right(), f"{what}: {query}: {given} is not {world.right()}"
            asked.check(f"{what}, {'the view' if 'm.w' in query else 'over the table'}")
            lines = [line for (line,) in session.execute(f"explain {query}").fetchall() if line.startswith("Materialized View: m.w")]
            assert lines and lines[0].endswith(mark), (what, query, lines)
            asked.door.taken()

    for step, change in enumerate((append, update)):
        before = world.names()
        change(world)
        changed = before ^ world.names()
        assert 0 < len(changed) <= 2, changed
        name = change.__name__
        asked.begins(changed)
        ask(f"{name}, before a refresh", session, "+1 file)" if change is append else "+1 file, -1 file)")
        session.execute("refresh materialized view m.w")
        asked.check(f"{name}, a refresh")
        ask(f"{name}, after it", session, f"(at version {step + 1})")
    last = session.execute("select kind from lakegate.refreshes order by ended_at desc limit 2").fetchall()
    assert last == [("incremental",)] * 2, last
    # A gateway that has seen nothing yet, and a job.
    new = asked.door = Door(world.store)
    before = world.names()
    append(world)
    asked.begins(before ^ world.names(), is_new=True)
    _, late = program.serve(new.environment())
    ask("append, a new gateway", late, "+1 file)")
    job = asked.door = Door(world.store)
    process = program.start("refresh", job.environment(), "m.w")
    assert process.wait(60) == 0 and "incremental" in process.stdout.read()
    asked.check("append, a job")


def append(world: World) -> None:
    write_deltalake(world.table, pa.table({"id": pa.array([100, 101], pa.int64()), "word": pa.array(["blue", "red"], pa.string())}), mode="append")


def update(world: World) -> None:
    """A row of one old file is another: written by hand, as an update of one file is committed."""
    table = DeltaTable(world.table)
    old, name = "old-00007.parquet", "new-00007.parquet"
    rows = pq.read_table(world.table / old)
    rows = rows.set_column(0, "id", pa.array([50, *rows["id"].to_pylist()[1:]], pa.int64()))
    pq.write_table(rows, world.table / name)
    size = (world.table / name).stat().st_size
    now = int(time.time() * 1000)
    actions = [{"commitInfo": {"operation": "UPDATE", "timestamp": now}},
               {"remove": {"path": old, "dataChange": True, "deletionTimestamp": now, "extendedFileMetadata": True, "partitionValues": {},
                           "size": (world.table / old).stat().st_size}},
               {"add": {"path": name, "dataChange": True, "partitionValues": {}, "size": size, "modificationTime": now,
                        "stats": json.dumps({"numRecords": rows.num_rows})}}]
    (world.table / "_delta_log" / f"{table.version() + 1:020}.json").write_text("\n".join(map(json.dumps, actions)))


if __name__ == "__main__":
    main()
