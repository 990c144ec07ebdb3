#!/usr/bin/env python3
"""Statements of PostgreSQL's own regression suite over the same tables in four places.

    python3 placed.py LAKE --cases FOLDER --gateway HOST:PORT --postgres HOST:PORT [--tier AB]

FOLDER holds `pgdiff.py`, `manifest.json`, `share.json` and the tables as Parquet. Each table is put (a) into LAKE as it is,
(b) into LAKE as a Delta table, (c) into PostgreSQL, and (d) every second one into either. A statement must have the same
verdict in all four: what `pgdiff.py` says of its answer beside PostgreSQL's. Statements whose tables have a type that
Delta lacks (time, uuid) are left out, and so are those that read no table.
"""

import argparse
import importlib.util
import json
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

import psycopg
import pyarrow.parquet
from deltalake import write_deltalake

DATABASE = "warehouse_placed"
PLACES = {"a": "Parquet", "b": "Delta", "c": "PostgreSQL", "d": "half and half"}
NOT_OF_DELTA = {"time", "uuid"}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def session(address: str, database: str) -> psycopg.Connection:
    host, _, port = address.rpartition(":")
    return psycopg.connect(host=host, port=port, user="postgres", dbname=database, autocommit=True, prepare_threshold=None)


def is_remote(number: int) -> bool:
    """Whether a table is PostgreSQL's where half of them are."""
    return number % 2 == 1


def to_lake(lake: Path, cases: Path, manifest: dict) -> None:
    for schema, tables in manifest.items():
        for place in "abd":
            (lake / f"{place}_{schema}").mkdir()
        for number, (table, told) in enumerate(sorted(tables.items())):
            file = cases / told["parquet"]
            shutil.copy(file, lake / f"a_{schema}" / f"{table}.parquet")
            if not is_remote(number):
                shutil.copy(file, lake / f"d_{schema}" / f"{table}.parquet")
            if not NOT_OF_DELTA & {kind for _, kind in told["columns"]}:
                write_deltalake(str(lake / f"b_{schema}" / table), pyarrow.parquet.read_table(file))


def to_postgres(pgdiff, address: str, cases: Path, manifest: dict) -> None:
    with session(address, "postgres") as made:
        made.execute(f"drop database if exists {DATABASE} with (force)")
        made.execute(f"create database {DATABASE} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'")
    with session(address, DATABASE) as made:
        made.execute("set datestyle to 'ISO, MDY'; set timezone to 'UTC'")
        for schema, tables in manifest.items():
            made.execute(f"create schema {schema}")
            for table, told in tables.items():
                name = f"{schema}.{quoted(table)}"
                made.execute(f"create table {name} ({', '.join(f'{quoted(column)} {kind}' for column, kind in told['columns'])})")
                columns = pyarrow.parquet.read_table(cases / told["parquet"]).to_pydict().values()
                kinds = [kind for _, kind in told["columns"]]
                values = [[pgdiff.pgval(kind, value) for value in column] for kind, column in zip(kinds, columns)]
                with made.cursor().copy(f"copy {name} from stdin") as copy:
                    for row in zip(*values):
                        copy.write(pgdiff.copy_text(row) + "\n")
        made.execute("analyze")


def define(gateway: psycopg.Connection, address: str, manifest: dict) -> None:
    host, _, port = address.rpartition(":")
    gateway.execute(f"create server p foreign data wrapper postgres options (host '{host}', port '{port}', dbname '{DATABASE}', sslmode 'disable')")
    gateway.execute("create user mapping for public server p options (user 'postgres')")
    for schema, tables in manifest.items():
        remote = [table for number, table in enumerate(sorted(tables)) if is_remote(number)]
        gateway.execute(f"create schema c_{schema}")
        gateway.execute(f"import foreign schema {schema} from server p into c_{schema}")
        if remote:
            if len(remote) == len(tables):
                gateway.execute(f"create schema d_{schema}")
            gateway.execute(f"import foreign schema {schema} limit to ({', '.join(map(quoted, remote))}) from server p into d_{schema}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake", type=Path)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--tier", default="AB")
    arguments = parser.parse_args()
    told = importlib.util.spec_from_file_location("pgdiff", arguments.cases / "pgdiff.py")
    pgdiff = importlib.util.module_from_spec(told)
    sys.dont_write_bytecode = True
    told.loader.exec_module(pgdiff)
    manifest = json.loads((arguments.cases / "manifest.json").read_text())
    to_lake(arguments.lake, arguments.cases, manifest)
    to_postgres(pgdiff, arguments.postgres, arguments.cases, manifest)
    with session(arguments.gateway, "lake") as gateway:
        define(gateway, arguments.postgres, manifest)
    host, _, port = arguments.gateway.rpartition(":")
    target = pgdiff.Target(f"host={host} port={port} user=postgres dbname=lake", "search_path", pgdiff.SESSION0, 30, "simple")
    passed, n_cases, different, begun = Counter(), 0, 0, time.monotonic()
    for case in json.loads((arguments.cases / "share.json").read_text()):
        tables = case.get("tables")
        kinds = {kind for table in tables or {} for _, kind in manifest[case["schema"]].get(table, {"columns": []})["columns"]}
        if not tables or case["tier"] not in arguments.tier or NOT_OF_DELTA & kinds:
            continue
        n_cases += 1
        verdicts = {}
        for place in PLACES:
            answer = target.run({**case, "schema": f"{place}_{case['schema']}"})
            verdicts[place] = (sorted(pgdiff.judge(case, answer)), answer.state)
            passed[place] += not verdicts[place][0]
            found = (answer.msg or "", [row for row in answer.rows[:3]])
            verdicts[place] += (found,)
        if len({(str(verdict), state) for verdict, state, _ in verdicts.values()}) > 1:
            different += 1
            print(f"{case['id']}: {case['sql']}", flush=True)
            for place, (verdict, state, found) in verdicts.items():
                print(f"  {PLACES[place]:14} {verdict or 'right'} {state or ''} {found if verdict else ''}", flush=True)
    right = ", ".join(f"{passed[place]} over {name}" for place, name in PLACES.items())
    print(f"{n_cases} statements in {time.monotonic() - begun:.0f} s: answered as by PostgreSQL {right}; {different} have not the same verdict in all")
    if different:
        sys.exit(1)


if __name__ == "__main__":
    main()
