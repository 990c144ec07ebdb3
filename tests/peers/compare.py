#!/usr/bin/env python3
"""Compares the gateway's answers with those of DuckDB over the same files, row by row.

DuckDB reads Parquet, CSV and JSON lines by itself; Delta tables are read by Python's deltalake and handed to
it. Queries stand in tests/peers/*.sql, ended by `;`. Where DuckDB has another way to say the same, a line
`-- duckdb:` holds its text. Rows are compared as a list if the query orders them, else as a bag.
"""

import argparse
import math
import re
import sys
from collections import Counter
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg
from deltalake import DeltaTable

HERE = Path(__file__).resolve().parent
LAKE = HERE.parent / "data/lake"
QUERIES_MIN = 20


def peer() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    readers = {
        "bronze.users": f"read_json('{LAKE}/bronze/users.jsonl')",
        "bronze.devices": f"read_json('{LAKE}/bronze/devices.jsonl')",
        "bronze.campaigns": f"read_csv('{LAKE}/bronze/campaigns.csv', header = true)",
        "bronze.events": f"read_parquet('{LAKE}/bronze/events/**/*.parquet', hive_partitioning = true, hive_types = {{year: bigint, month: bigint}})",
        "gold.daily_revenue": f"read_parquet('{LAKE}/gold/daily_revenue.parquet')",
        "gold.shops": f"read_parquet('{LAKE}/gold/shops.parquet')",
        "main.regions": f"read_csv('{LAKE}/regions.csv', header = true)",
    }
    for schema in ["bronze", "silver", "gold"]:
        connection.execute(f"create schema {schema}")
    for name, reader in readers.items():
        connection.execute(f"create view {name} as select * from {reader}")
    for name in ["orders", "items", "edges", "counters"]:
        table = DeltaTable(LAKE / "silver" / name).to_pyarrow_table()
        connection.register(f"delta_{name}", table)
        connection.execute(f"create view silver.{name} as select * from delta_{name}")
    return connection


def queries() -> list[tuple[str, str, str]]:
    """File and the two texts of each query."""
    found = []
    for path in sorted(HERE.glob("*.sql")):
        for text in re.split(r";\s*\n", path.read_text(encoding="utf-8")):
            ours = "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
            theirs = re.findall(r"^-- duckdb: (.*)$", text, re.MULTILINE)
            if ours:
                found.append((path.name, ours, " ".join(theirs) or ours))
    return found


def normal(value):
    """One form for what both mean: numbers to 12 digits, instants in UTC, bytes as bytes."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float, Decimal)):
        if isinstance(value, float) and math.isnan(value):
            return "NaN"
        return f"{float(value):.12g}" if isinstance(value, float) else str(Decimal(value).normalize() + 0)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(timezone.utc)
    if isinstance(value, (list, tuple)):
        return tuple(normal(item) for item in value)
    if isinstance(value, dict):
        return tuple((key, normal(item)) for key, item in value.items())
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    return value


def same(ours: list, theirs: list, ordered: bool) -> bool:
    pairs = list(zip(ours, theirs)) if ordered else None
    if ordered:
        return len(ours) == len(theirs) and all(repr(a) == repr(b) for a, b in pairs)
    return Counter(map(repr, ours)) == Counter(map(repr, theirs))


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--gateway", required=True)
    arguments.add_argument("--postgres", help="not needed here; every script gets it")
    host, port = arguments.parse_args().gateway.split(":")
    duck, failures, n_queries = peer(), [], 0
    with psycopg.connect(host=host, port=port, user="postgres", autocommit=True) as gateway:
        for name, text, duck_text in queries():
            n_queries += 1
            theirs = [tuple(normal(value) for value in row) for row in duck.execute(duck_text).fetchall()]
            assert theirs, f"{name}: an empty answer proves nothing: {text}"
            try:
                ours = [tuple(normal(value) for value in row) for row in gateway.execute(text).fetchall()]
            except psycopg.Error as error:
                failures.append(f"{name}: {text}\n  {error}")
                continue
            if not same(ours, theirs, "order by" in text.lower()):
                differing = [f"  duckdb   {b}\n  lakegate {a}" for a, b in zip(ours, theirs) if repr(a) != repr(b)]
                failures.append(f"{name}: {text}\n  {len(theirs)} rows, ours {len(ours)}\n" + "\n".join(differing[:3]))
    assert n_queries >= QUERIES_MIN, f"only {n_queries} queries"
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
