"""A table with a column of every type: a Parquet file for Lakegate, and the same rows in PostgreSQL."""

import argparse
import datetime as dt
import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = "every_type"
TABLE = f"{SCHEMA}.samples"
UTC = dt.timezone.utc
STRUCT = pa.struct([("a", pa.int32()), ("b", pa.string()), ("c", pa.list_(pa.float64()))])


@dataclass
class Column:
    """A column: its type on both sides, and a value a row."""

    name: str
    in_postgres: str
    in_parquet: pa.DataType
    values: list[Any]


def instants(zone: dt.timezone | None) -> list[dt.datetime | None]:
    return [dt.datetime(2026, 7, 1, 12, 30, 15, 123456, zone), None, dt.datetime(1969, 12, 31, 23, 59, 59, 999999, zone),
            dt.datetime(1, 1, 1, tzinfo=zone)]


COLUMNS = [
    Column("id", "int4", pa.int32(), [1, 2, 3, 4]),
    Column("flag", "bool", pa.bool_(), [True, None, False, True]),
    Column("small", "int2", pa.int16(), [-32768, None, 0, 32767]),
    Column("number", "int4", pa.int32(), [-(2**31), None, 7, 2**31 - 1]),
    Column("big", "int8", pa.int64(), [-(2**63), None, 7, 2**63 - 1]),
    Column("tiny", "int2", pa.int8(), [-128, None, 0, 127]),
    Column("unsigned_8", "int2", pa.uint8(), [0, None, 1, 255]),
    Column("unsigned_16", "int4", pa.uint16(), [0, None, 1, 65535]),
    Column("unsigned_32", "int8", pa.uint32(), [0, None, 1, 2**32 - 1]),
    Column("unsigned_64", "numeric(20,0)", pa.uint64(), [0, None, 1, 2**64 - 1]),
    Column("single", "float4", pa.float32(), [0.5, None, float("-inf"), 16777216.0]),
    Column("double", "float8", pa.float64(), [0.1, None, float("inf"), 1e-300]),
    Column("not_a_number", "float8", pa.float64(), [float("nan"), None, -0.0, 1e15]),
    Column("price", "numeric(12,2)", pa.decimal128(12, 2),
           [Decimal("-0.05"), None, Decimal("1234567890.10"), Decimal("0.00")]),
    Column("exact", "numeric(30,10)", pa.decimal128(30, 10),
           [Decimal("1.5000000000"), None, Decimal("-12345678901234567890.0123456789"), Decimal("0E-10")]),
    Column("label", "text", pa.string(), ["snø ☃", None, "", "tab\tline\nquote' back\\slash"]),
    Column("long_label", "text", pa.large_string(), ["x" * 300, None, "é", "NULL"]),
    Column("code", "text", pa.dictionary(pa.int32(), pa.string()), ["a", None, "b", "a"]),
    Column("bytes", "bytea", pa.binary(), [b"\x00\xff\\'", None, b"", b"plain"]),
    Column("fixed_bytes", "bytea", pa.binary(2), [b"\x00\x01", None, b"ab", b"\xff\xfe"]),
    Column("day", "date", pa.date32(),
           [dt.date(2026, 2, 28), None, dt.date(1, 1, 1), dt.date(9999, 12, 31)]),
    Column("clock", "time", pa.time64("us"),
           [dt.time(23, 59, 59, 999999), None, dt.time(0), dt.time(12, 34, 56, 700000)]),
    Column("clock_ms", "time", pa.time32("ms"), [dt.time(23, 59, 59, 999000), None, dt.time(0), dt.time(12)]),
    Column("moment", "timestamp", pa.timestamp("us"), instants(None)),
    Column("moment_ms", "timestamp", pa.timestamp("ms"),
           [dt.datetime(2026, 7, 1, 12, 30, 15, 123000), None, dt.datetime(1969, 12, 31), dt.datetime(2000, 1, 1)]),
    Column("instant", "timestamptz", pa.timestamp("us", "UTC"), instants(UTC)),
    Column("flags", "bool[]", pa.list_(pa.bool_()), [[True, None], None, [], [False]]),
    Column("numbers", "int4[]", pa.list_(pa.int32()), [[1, None, 3], None, [], [-1]]),
    Column("bigs", "int8[]", pa.large_list(pa.int64()), [[2**63 - 1, None], None, [], [-1]]),
    Column("doubles", "float8[]", pa.list_(pa.float64()), [[0.1, None, 1e300], None, [], [float("-inf")]]),
    Column("prices", "numeric(12,2)[]", pa.list_(pa.decimal128(12, 2)), [[Decimal("1.50"), None], None, [], [Decimal("-0.05")]]),
    Column("words", "text[]", pa.list_(pa.string()),
           [["a b", None, 'c"d', "", "back\\slash", "{x,y}"], None, [], ["NULL", "null"]]),
    Column("days", "date[]", pa.list_(pa.date32()), [[dt.date(2026, 2, 28), None], None, [], [dt.date(1, 1, 1)]]),
    Column("moments", "timestamp[]", pa.list_(pa.timestamp("us")), [[dt.datetime(2026, 1, 31, 10)], None, [], [None]]),
    Column("matrix", "int4[]", pa.list_(pa.list_(pa.int32())), [[[1, 2], [3, None]], None, [], [[5]]]),
    Column("document", "json", STRUCT,
           [{"a": 1, "b": "x\"y", "c": [0.5, None]}, None, {"a": None, "b": None, "c": None}, {"a": -1, "b": "", "c": []}]),
]


def make_lake(root: Path) -> None:
    """Writes the table as one Parquet file below the lake's root."""
    folder = root / SCHEMA
    folder.mkdir(parents=True)
    arrays = [pa.array(column.values, column.in_parquet) for column in COLUMNS]
    pq.write_table(pa.table(arrays, names=[column.name for column in COLUMNS]), folder / "samples.parquet")


def in_postgres(column: Column, value: Any) -> Any:
    """A value as the parameter of its column: documents are compact JSON."""
    if column.in_postgres == "json" and value is not None:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return value


def load(connection: psycopg.Connection) -> None:
    """Makes the table in PostgreSQL."""
    types = [f"{column.name} {column.in_postgres}" for column in COLUMNS]
    places = [f"%s::{column.in_postgres}" for column in COLUMNS]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(f"create schema {SCHEMA}")
        cursor.execute(f"create table {TABLE} ({', '.join(types)})")
        for row in range(len(COLUMNS[0].values)):
            values = [in_postgres(column, column.values[row]) for column in COLUMNS]
            cursor.execute(f"insert into {TABLE} values ({', '.join(places)})", values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, required=True, help="the folder to make the lake in")
    parser.add_argument("--postgres", action="append", default=[], help="parameters to connect by")
    given = parser.parse_args()
    make_lake(given.lake)
    for parameters in given.postgres:
        with psycopg.connect(parameters) as connection:
            load(connection)


if __name__ == "__main__":
    main()
