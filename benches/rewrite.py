#!/usr/bin/env python3
"""Measures a dashboard over tables of which materialized views have what it asks for: twelve aggregates, none of them kept.

    benches/rewrite.py --program target/demo/lakegate [--scale 10] [--rounds 20] [--lake FOLDER]

The lake is TPC-H's lineitem and orders of the scale, made by tpchgen-cli, as Delta tables; two materialized views group them by
days and a few words. Each of the twelve is asked over one connection, answers kept off, with `lakegate.rewrite` on and off, and
DuckDB reads the same files in this process. Planning is part of every time. Told are each one's medians, and the median of how
many times faster it is answered from a view. Then, for each that reads lineitem, a hundredth of its rows is committed three times, and the first time that it is
asked after each is compared with that from the view alone and that of the new file alone. Answers must be the same. Making the lake of scale 10
takes some minutes; commits go to a copy, whose files are links to those of the lake.
"""

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from cache import milliseconds, start
from deltalake import DeltaTable, write_deltalake

# How many times faster, over the tables here and over DuckDB.
GOAL = 50.0
# The first answer after a commit takes as long as from the view, and this many times as long as of the new file alone.
GOAL_OF_NEW = 1.3
# A commit has so many of a table's rows, and each of the tiles is asked after so many commits.
SHARE_OF_NEW = 0.01
COMMITS = 3
VIEWS = {
    "shipped": "select l_shipdate, l_returnflag, l_linestatus, l_shipmode, count(*) as n_lines, sum(l_quantity) as quantity, "
               "count(l_quantity) as n_quantities, sum(l_extendedprice) as price, sum(l_extendedprice * (1 - l_discount)) as revenue, "
               "sum(l_discount) as discount, count(l_discount) as n_discounts, max(l_extendedprice) as largest "
               "from tpch.lineitem group by 1, 2, 3, 4",
    "ordered": "select o_orderdate, o_orderpriority, o_orderstatus, count(*) as n_orders, sum(o_totalprice) as price, "
               "count(o_totalprice) as n_prices, min(o_totalprice) as smallest from tpch.orders group by 1, 2, 3",
}
TILES = [
    "select l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice), avg(l_discount), count(*) from {s}lineitem "
    "where l_shipdate <= date '1998-09-02' group by l_returnflag, l_linestatus order by 1, 2",
    "select l_shipmode, count(*) from {s}lineitem group by l_shipmode order by l_shipmode",
    "select date_trunc('month', l_shipdate), sum(l_extendedprice) from {s}lineitem group by 1 order by 1",
    "select extract(year from l_shipdate), sum(l_extendedprice * (1 - l_discount)) from {s}lineitem group by 1 order by 1",
    "select l_shipdate, count(*) from {s}lineitem where l_shipdate >= date '1995-01-01' and l_shipdate < date '1995-02-01' "
    "group by l_shipdate order by l_shipdate",
    "select l_shipmode, avg(l_quantity), max(l_extendedprice) from {s}lineitem where l_returnflag = 'R' group by l_shipmode order by 1",
    "select count(*), sum(l_quantity) from {s}lineitem",
    "select o_orderpriority, count(*) from {s}orders where o_orderdate >= date '1993-07-01' and o_orderdate < date '1993-10-01' "
    "group by o_orderpriority order by 1",
    "select o_orderstatus, sum(o_totalprice) from {s}orders group by o_orderstatus order by 1",
    "select count(*), min(o_orderdate), max(o_orderdate), min(o_totalprice) from {s}orders",
    "select extract(year from o_orderdate), o_orderstatus, count(*), sum(o_totalprice) from {s}orders group by 1, 2 order by 1, 2",
    "select o_orderpriority, avg(o_totalprice) from {s}orders where o_orderstatus in ('F', 'O') group by 1 order by 1",
]
BATCH_ROWS = 1 << 20


def make(lake: Path, scale: float) -> None:
    program = Path(sys.executable).with_name("tpchgen-cli")
    for table in ("lineitem", "orders"):
        with tempfile.TemporaryDirectory() as folder:
            command = [program, "parquet", "-s", str(scale), f"--tables={table}", f"--output-dir={folder}"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            rows = pq.ParquetFile(Path(folder) / f"{table}.parquet")
            # As writers of Delta tables have them: without the numbers that Parquet gives to columns.
            schema = pa.schema([field.remove_metadata() for field in rows.schema_arrow])
            batches = (batch.cast(schema) for batch in rows.iter_batches(BATCH_ROWS))
            write_deltalake(lake / "tpch" / table, pa.RecordBatchReader.from_batches(schema, batches))


def asked(run, n_rounds: int) -> float:
    run()
    return statistics.median(milliseconds(run) for _ in range(n_rounds))


def copied(lake: Path) -> Path:
    """The lake once more: what is committed there leaves the first as it is."""
    copy = Path(tempfile.mkdtemp(dir=lake.parent))

    def link(source: str, target: str) -> None:
        (os.link if source.endswith(".parquet") else shutil.copy2)(source, target)

    shutil.copytree(lake / "tpch", copy / "tpch", copy_function=link)
    return copy


def measure(
    connection: psycopg.Connection, database: duckdb.DuckDBPyConnection, tile: str, n_rounds: int
) -> tuple[float, float, float, float]:
    """How many times faster one is answered from a view than from the table here, and by DuckDB; the latter also if it is said in a
    new way each time, so that nothing is known of its text; and the time that it takes."""
    own, other = tile.format(s="tpch."), tile.format(s="")
    run = lambda: connection.execute(own).fetchall()
    connection.execute("set lakegate.rewrite = on")
    lines = [line for (line,) in connection.execute(f"explain {own}").fetchall()]
    assert any(line.startswith("Materialized View: ") for line in lines), own
    given, by_view = run(), asked(run, n_rounds)
    sayings = itertools.count()
    by_new_text = asked(lambda: connection.execute(own.replace("select", f"select /* {next(sayings)} */", 1)).fetchall(), n_rounds)
    connection.execute("set lakegate.rewrite = off")
    assert run() == given, own
    by_table = asked(run, max(1, n_rounds // 10))
    by_duckdb = asked(lambda: database.execute(other).fetchall(), max(1, n_rounds // 10))
    print(f"{by_view:8.2f} ms, said anew {by_new_text:8.2f} ms, table {by_table:9.2f} ms, DuckDB {by_duckdb:9.2f} ms: {own[:90]}")
    return by_table / by_view, by_duckdb / by_view, by_duckdb / by_new_text, by_view


def batches_of(files: list[Path], n_rows: int):
    """The rows of files, so many at a time."""
    for file in files:
        yield from (batch for batch in pq.ParquetFile(file).iter_batches(n_rows) if batch.num_rows == n_rows)


def after_commits(connection: psycopg.Connection, lake: Path, views: dict[str, float], n_rounds: int) -> list[float]:
    """The first answers after commits, as shares of what they may take. `views` has how long each takes from a view alone."""
    table = DeltaTable(lake / "tpch" / "lineitem")
    files = sorted((lake / "tpch" / "lineitem").glob("*.parquet"))
    n_rows = sum(pq.ParquetFile(file).metadata.num_rows for file in files)
    batches = enumerate(batches_of(files, max(1, int(n_rows * SHARE_OF_NEW))))
    shares = []
    for tile, by_view in views.items():
        own = tile.format(s="tpch.")
        of_tile = []
        for number, batch in itertools.islice(batches, COMMITS):
            rows = pa.Table.from_batches([batch])
            write_deltalake(table, rows, mode="append")
            # The same rows as a table of their own.
            write_deltalake(lake / "new" / f"lineitem_{number}", rows)
            alone = own.replace("tpch.lineitem", f"new.lineitem_{number}")
            connection.execute("set lakegate.rewrite = on")
            answers = []
            first = milliseconds(lambda: answers.extend(connection.execute(own).fetchall()))
            told = [line for (line,) in connection.execute(f"explain {own}").fetchall() if line.startswith("Materialized View: ")]
            assert any("+1 file" in line for line in told), (own, told)
            of_tile.append((first, asked(lambda: connection.execute(alone).fetchall(), n_rounds)))
            connection.execute("set lakegate.rewrite = off")
            assert connection.execute(own).fetchall() == answers, own
            connection.execute("refresh materialized view bench.shipped")
        first, by_file = (statistics.median(column) for column in zip(*of_tile))
        shares.append(first / (by_view + GOAL_OF_NEW * by_file))
        print(f"{first:8.2f} ms after a commit, view {by_view:8.2f} ms, new file {by_file:8.2f} ms: {own[:90]}")
    return shares


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", type=Path, required=True)
    arguments.add_argument("--scale", type=float, default=10.0)
    arguments.add_argument("--rounds", type=int, default=20)
    arguments.add_argument("--lake", type=Path, help="kept, and made only if it is not there")
    given = arguments.parse_args()
    lake = given.lake or Path(tempfile.mkdtemp())
    if not (lake / "tpch").exists():
        make(lake, given.scale)
    state, own = Path(tempfile.mkdtemp()), copied(lake)
    database = duckdb.connect()
    for table in ("lineitem", "orders"):
        # All files are of the one version.
        database.execute(f"create view {table} as select * from read_parquet('{lake}/tpch/{table}/*.parquet')")
    process, port = start(given.program, own, state)
    try:
        with psycopg.connect(host="127.0.0.1", port=port, dbname="lake", user="t", autocommit=True) as connection:
            connection.execute("set lakegate.result_cache = off")
            connection.execute("create schema bench")
            for name, query in VIEWS.items():
                connection.execute(f"create materialized view bench.{name} with (refresh = 'manual') as {query}")
            times = [measure(connection, database, tile, given.rounds) for tile in TILES]
            views = {tile: by_view for tile, (*_, by_view) in zip(TILES, times) if "lineitem" in tile}
            shares = after_commits(connection, own, views, given.rounds)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(state)
        shutil.rmtree(own)
    if given.lake is None:
        shutil.rmtree(lake)
    over_table, over_duckdb, said_anew, _ = (statistics.median(column) for column in zip(*times))
    share = statistics.median(shares)
    is_met = min(over_table, over_duckdb) >= GOAL
    print(f"scale {given.scale:g}: {over_table:.0f} times as fast as over the tables, {over_duckdb:.0f} times as fast as DuckDB, "
          f"{said_anew:.0f} times where nothing is known of a statement's text; "
          f"goal {GOAL:.0f} times: {'met' if is_met else 'missed'}")
    print(f"after a commit: {share:.2f} of the time of the view and {GOAL_OF_NEW:g} times that of the new file, "
          f"at most {max(shares):.2f}: {'met' if share <= 1 else 'missed'}")
    return 0 if is_met and share <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
