#!/usr/bin/env python3
"""Makes tests/data/lake, the small lake of made-up data that the tests and `make demo` serve.

Everything is seeded, so that a second run makes the same rows; the file names and times in the Delta
logs differ, which is why the output is committed and this is run only to change it.
"""

import csv
import datetime as dt
import json
import random
import shutil
from decimal import Decimal
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

LAKE = Path(__file__).parent / "lake"
UTC = dt.timezone.utc
CITIES = ["Oslo", "Porto", "Graz", "Turku", "Ghent", "Łódź", "Århus", "Zürich"]
FIRST = ["Ada", "Bo", "Cleo", "Dag", "Eir", "Finn", "Gro", "Hugo", "Ines", "Jón", "Kaja", "Lev"]
STATUSES = ["open", "paid", "shipped", "returned"]


def make_users(rng: random.Random) -> None:
    """bronze.users: JSON lines with keys that are missing, null, and not ASCII."""
    with open(LAKE / "bronze/users.jsonl", "w", encoding="utf-8") as out:
        for number in range(1, 121):
            user = {
                "user_id": number,
                "name": f"{rng.choice(FIRST)} {number}",
                "city": rng.choice(CITIES),
                "score": round(rng.uniform(0, 100), 2),
                "active": rng.random() < 0.7,
                "signup": str(dt.date(2025, 1, 1) + dt.timedelta(days=rng.randrange(400))),
            }
            if number % 10 == 0:
                user["city"] = None
            if number % 7 == 0:
                del user["score"]
            out.write(json.dumps(user, ensure_ascii=False) + "\n")


def make_devices(rng: random.Random) -> None:
    """bronze.devices: JSON lines with objects and arrays inside."""
    with open(LAKE / "bronze/devices.jsonl", "w", encoding="utf-8") as out:
        for number in range(1, 31):
            device = {
                "device_id": f"d-{number:03}",
                "owner": {"user_id": rng.randrange(1, 121), "roles": ["admin", "read"][: 1 + number % 2]},
                "readings": [round(rng.gauss(20, 3), 1) for _ in range(number % 4)],
                "tags": ["lab", "roof", "cellar"][: number % 3],
            }
            if number % 5 == 0:
                device["owner"] = None
            out.write(json.dumps(device) + "\n")


def make_campaigns(rng: random.Random) -> None:
    """bronze.campaigns: CSV with quotes, commas, line breaks and empty fields."""
    with open(LAKE / "bronze/campaigns.csv", "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["campaign_id", "title", "budget", "started", "channel"])
        for number in range(1, 25):
            title = f"Campaign {number}"
            if number % 6 == 0:
                title = f'The "big" one, part {number}'
            if number % 8 == 0:
                title = f"Two\nlines {number}"
            started = dt.date(2026, 1, 1) + dt.timedelta(days=7 * number)
            budget = "" if number % 5 == 0 else f"{rng.randrange(1000, 90000) / 100:.2f}"
            writer.writerow([number, title, budget, started, rng.choice(["mail", "web", "print"])])


def make_events(rng: random.Random) -> None:
    """bronze.events: Parquet under Hive levels, one file a month."""
    event_id = 0
    for year, month in [(2025, 11), (2025, 12), (2026, 1), (2026, 2)]:
        rows = []
        for _ in range(150):
            event_id += 1
            at = dt.datetime(year, month, rng.randrange(1, 28), rng.randrange(24), rng.randrange(60),
                             rng.randrange(60), rng.randrange(1_000_000), tzinfo=UTC)
            rows.append({
                "event_id": event_id,
                "user_id": rng.randrange(1, 121),
                "kind": rng.choice(["view", "click", "buy"]),
                "happened_at": at,
                "duration_ms": None if event_id % 9 == 0 else rng.randrange(5, 5000),
                "value": None if event_id % 4 else Decimal(rng.randrange(100, 99999)) / 100,
            })
        schema = pa.schema([
            ("event_id", pa.int64()), ("user_id", pa.int32()), ("kind", pa.string()),
            ("happened_at", pa.timestamp("us", tz="UTC")), ("duration_ms", pa.int32()),
            ("value", pa.decimal128(10, 2)),
        ])
        folder = LAKE / f"bronze/events/year={year}/month={month:02}"
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, schema), folder / "part-0.parquet")


ORDER_FIELDS = [
    ("order_id", pa.int64()), ("user_id", pa.int32()), ("status", pa.string()),
    ("amount", pa.decimal128(12, 2)), ("ordered_at", pa.timestamp("us", tz="UTC")),
    ("region", pa.string()),
]


CAPTURED = fastavro.parse_schema({
    "type": "record", "name": "EventData", "namespace": "Microsoft.ServiceBus.Messaging",
    "fields": [
        {"name": "SequenceNumber", "type": "long"},
        {"name": "Offset", "type": "string"},
        {"name": "EnqueuedTimeUtc", "type": "string"},
        {"name": "SystemProperties", "type": {"type": "map", "values": ["long", "double", "string", "bytes"]}},
        {"name": "Properties", "type": {"type": "map", "values": ["long", "double", "string", "bytes", "null"]}},
        {"name": "Body", "type": ["null", "bytes"]},
    ],
})


def make_thermostat(rng: random.Random) -> None:
    """bronze.thermostat: a tree as Event Hubs Capture writes it, some of its files without events."""
    for partition in range(2):
        sequence = 0
        for hour in range(3):
            at = dt.datetime(2026, 10, 1, 22, tzinfo=UTC) + dt.timedelta(hours=hour)
            events = []
            for _ in range(0 if (partition, hour) == (1, 1) else 4):
                at += dt.timedelta(seconds=rng.randrange(1, 60))
                body = {"device": f"t-{rng.randrange(3)}", "temperature": round(rng.gauss(20, 3), 1)}
                events.append({
                    "SequenceNumber": sequence,
                    "Offset": str(sequence * 128),
                    "EnqueuedTimeUtc": at.strftime("%m/%d/%Y %I:%M:%S %p"),
                    "SystemProperties": {"x-opt-partition-key": body["device"], "x-opt-enqueued": sequence},
                    "Properties": [{}, {"firmware": 1.5, "raw": b"\x00\xff"}, {"note": None}][sequence % 3],
                    "Body": None if sequence == 5 else json.dumps(body).encode(),
                })
                sequence += 1
            hour_at = dt.datetime(2026, 10, 1, 22, tzinfo=UTC) + dt.timedelta(hours=hour)
            path = LAKE / f"bronze/thermostat/iot-test/thermostat/{partition}/{hour_at:%Y/%m/%d/%H}/00/00.avro"
            path.parent.mkdir(parents=True)
            with open(path, "wb") as out:
                fastavro.writer(out, CAPTURED, events, sync_marker=bytes(16))


def avro_type(kind: str, logical: str, **attributes: int) -> dict:
    return {"type": kind, "logicalType": logical, **attributes}


def make_readings(rng: random.Random) -> None:
    """bronze.readings: Avro with every kind of type."""
    place = {"type": "record", "name": "Place", "fields": [
        {"name": "room", "type": "string"},
        {"name": "level", "type": ["null", "int"]},
        {"name": "labels", "type": {"type": "map", "values": "string"}},
    ]}
    fields = {
        "id": "int", "flag": "boolean", "ratio": "float", "total": ["double", "null"],
        "day": avro_type("int", "date"),
        "clock": avro_type("int", "time-millis"),
        "taken_at": avro_type("long", "timestamp-millis"),
        "exact_at": avro_type("long", "timestamp-micros"),
        "local_at": avro_type("long", "local-timestamp-micros"),
        "price": ["null", avro_type("bytes", "decimal", precision=10, scale=2)],
        "key": avro_type("string", "uuid"),
        "kind": {"type": "enum", "name": "Kind", "symbols": ["COLD", "WARM"]},
        "code": {"type": "fixed", "name": "Code", "size": 3},
        "samples": {"type": "array", "items": ["null", "double"]},
        "place": ["null", place],
        "anything": ["null", "long", "string", "boolean"],
        "parent": ["null", "Reading"],
    }
    schema = {"type": "record", "name": "Reading",
              "fields": [{"name": name, "type": kind} for name, kind in fields.items()]}

    def reading(number: int) -> dict:
        at = dt.datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC) + dt.timedelta(days=number * 1_000)
        return {
            "id": number, "flag": number % 2 == 0, "ratio": number / 4,
            "total": None if number == 2 else round(rng.gauss(100, 30), 3),
            "day": at.date(), "clock": dt.time(number, 5, 6, 789_000), "taken_at": at, "exact_at": at,
            "local_at": at.replace(tzinfo=None),
            "price": None if number == 3 else Decimal(number * 101 - 202) / 100,
            "key": f"00000000-0000-4000-8000-{number:012}",
            "kind": ["COLD", "WARM"][number % 2], "code": bytes([number, 0, 255]),
            "samples": [1.5, None, -2.0][:number],
            "place": {"room": "Küche", "level": [None, 1][number % 2], "labels": {"a": "b"}} if number % 3 else None,
            "anything": [None, 7, "text", True][number % 4],
            "parent": None,
        }

    rows = [reading(number) for number in range(6)]
    rows[5]["parent"] = reading(1)
    with open(LAKE / "bronze/readings.avro", "wb") as out:
        fastavro.writer(out, fastavro.parse_schema(schema), rows, codec="deflate", sync_marker=bytes(16))


def make_products() -> None:
    """bronze.products: documents of one object each, and one of an array."""
    def product(number: int) -> dict:
        return {"id": number, "name": f"Tea No. {number}", "price": number * 1.5, "tags": ["black", "organic"][: number % 3],
                "supplier": {"name": "Zürcher Handels AG", "country": "CH"}}

    folder = LAKE / "bronze/products"
    folder.mkdir()
    for number in range(1, 4):
        text = json.dumps(product(number), indent=2, ensure_ascii=False)
        (folder / f"product-{number}.json").write_text(text + "\n", encoding="utf-8")
    more = [{**product(4), "discontinued": True}, product(5)]
    (folder / "products-more.json").write_text(json.dumps(more, indent=1, ensure_ascii=False), encoding="utf-8")


def order_rows(rng: random.Random, first: int, last: int) -> list[dict]:
    rows = []
    for order_id in range(first, last + 1):
        at = dt.datetime(2026, 1, 1, tzinfo=UTC) + dt.timedelta(seconds=rng.randrange(200 * 86400))
        rows.append({
            "order_id": order_id,
            "user_id": rng.randrange(1, 121),
            "status": rng.choice(STATUSES),
            "amount": Decimal(rng.randrange(100, 500_000)) / 100,
            "ordered_at": at,
            "region": rng.choice(["north", "south", "west"]),
        })
    return rows


def make_orders(rng: random.Random) -> None:
    """silver.orders: a partitioned Delta table with appends, an added column, an update, a delete."""
    path = str(LAKE / "silver/orders")
    schema = pa.schema(ORDER_FIELDS)
    write_deltalake(path, pa.Table.from_pylist(order_rows(rng, 1, 200), schema),
                    partition_by=["region"])
    write_deltalake(path, pa.Table.from_pylist(order_rows(rng, 201, 320), schema), mode="append")
    wider = pa.schema(ORDER_FIELDS + [("discount", pa.decimal128(5, 2))])
    late = order_rows(rng, 321, 400)
    for row in late:
        row["discount"] = None if row["order_id"] % 3 else Decimal(rng.randrange(0, 3000)) / 100
    write_deltalake(path, pa.Table.from_pylist(late, wider), mode="append", schema_mode="merge")
    DeltaTable(path).update(predicate="order_id % 50 = 0", updates={"status": "'cancelled'"})
    DeltaTable(path).delete("order_id % 40 = 1")


def make_items(rng: random.Random) -> None:
    """silver.items: a Delta table of order lines, with mixed-case column names."""
    rows = []
    for order_id in range(1, 401):
        for line in range(1, 1 + rng.randrange(1, 4)):
            rows.append({
                "OrderId": order_id, "Line": line, "Product": f"P{rng.randrange(1, 40):02}",
                "Quantity": rng.randrange(1, 9), "unitPrice": Decimal(rng.randrange(50, 20000)) / 100,
            })
    schema = pa.schema([
        ("OrderId", pa.int64()), ("Line", pa.int16()), ("Product", pa.string()),
        ("Quantity", pa.int32()), ("unitPrice", pa.decimal128(9, 2)),
    ])
    write_deltalake(str(LAKE / "silver/items"), pa.Table.from_pylist(rows, schema))


def make_edges() -> None:
    """silver.edges: a Delta table of the values at the ends of their types."""
    inf, nan = float("inf"), float("nan")
    columns = {
        "id": pa.array([1, 2, 3, 4, 5, 6, 7], pa.int32()),
        "f8": pa.array([nan, inf, -inf, -0.0, 1e308, 5e-324, None], pa.float64()),
        "f4": pa.array([nan, inf, -inf, 0.1, 3.4e38, 1e-45, None], pa.float32()),
        "i8": pa.array([2**63 - 1, -(2**63), 0, 1, -1, None, None], pa.int64()),
        "i2": pa.array([2**15 - 1, -(2**15), 0, 1, -1, None, None], pa.int16()),
        "flag": pa.array([True, False, None, True, False, None, None], pa.bool_()),
        "note": pa.array(["", " ", "NULL", "a'b\"c\\d", "tab\there", "snowman ☃", None], pa.string()),
        "raw": pa.array([b"", b"\x00\xff", b"abc", b"'", b"\\", b"\n", None], pa.binary()),
        "big": pa.array([Decimal("9" * 28 + "." + "9" * 10), Decimal("-0.0000000001"), Decimal(0),
                         Decimal("1.5"), Decimal("-2.5"), None, None], pa.decimal128(38, 10)),
        "day": pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(1970, 1, 1),
                         dt.date(2000, 2, 29), dt.date(1969, 12, 31), None, None], pa.date32()),
    }
    write_deltalake(str(LAKE / "silver/edges"), pa.table(columns))


def make_counters() -> None:
    """silver.counters: a Delta table with a checkpoint in the middle of its log."""
    path = str(LAKE / "silver/counters")
    for step in range(12):
        rows = pa.table({
            "step": pa.array([step] * 5, pa.int32()),
            "n": pa.array(range(step * 5, step * 5 + 5), pa.int64()),
        })
        write_deltalake(path, rows, mode="append")
        if step == 9:
            DeltaTable(path).create_checkpoint()


def make_marts(rng: random.Random) -> None:
    """gold.daily_revenue and gold.shops: single Parquet files."""
    days = [dt.date(2026, 1, 1) + dt.timedelta(days=number) for number in range(90)]
    revenue = pa.table({
        "day": pa.array(days, pa.date32()),
        "region": pa.array([["north", "south", "west"][n % 3] for n in range(90)], pa.string()),
        "revenue": pa.array([Decimal(rng.randrange(10**6, 10**9)) / 10000 for _ in days],
                            pa.decimal128(18, 4)),
        "n_orders": pa.array([rng.randrange(1, 300) for _ in days], pa.int32()),
        "closed_at": pa.array([dt.datetime(d.year, d.month, d.day, 23, 59, 59, 999_999) for d in days],
                              pa.timestamp("us")),
        "loaded_at": pa.array([dt.datetime(d.year, d.month, d.day, 4, 30, tzinfo=UTC)
                               + dt.timedelta(days=1) for d in days], pa.timestamp("us", tz="UTC")),
        "share": pa.array([None if n % 11 == 0 else rng.random() for n in range(90)], pa.float64()),
    })
    pq.write_table(revenue, LAKE / "gold/daily_revenue.parquet")
    shops = pa.table({
        "shop_id": pa.array(range(1, 13), pa.int16()),
        "shopName": pa.array([f"{city} {n}" for n, city in enumerate(CITIES + CITIES[:4])], pa.string()),
        "opened": pa.array([dt.time(8, 30, n) for n in range(12)], pa.time64("us")),
        "tags": pa.array([["new"] * (n % 3) for n in range(12)], pa.list_(pa.string())),
        "address": pa.array([{"street": f"Main {n}", "zip": 1000 + n} for n in range(12)],
                            pa.struct([("street", pa.string()), ("zip", pa.int32())])),
        "visits": pa.array([2**32 - 1 - n for n in range(12)], pa.uint32()),
    })
    pq.write_table(shops, LAKE / "gold/shops.parquet")


def make_regions() -> None:
    """public.regions: a CSV file at the lake's root."""
    (LAKE / "regions.csv").write_text(
        "region,label,vat\nnorth,The North,0.25\nsouth,The South,0.23\neast,The East,\n", encoding="utf-8")


def main() -> None:
    shutil.rmtree(LAKE, ignore_errors=True)
    for schema in ["bronze", "silver", "gold"]:
        (LAKE / schema).mkdir(parents=True)
    make_users(random.Random(1))
    make_devices(random.Random(2))
    make_campaigns(random.Random(3))
    make_events(random.Random(4))
    make_orders(random.Random(5))
    make_items(random.Random(6))
    make_edges()
    make_counters()
    make_marts(random.Random(7))
    make_regions()
    make_thermostat(random.Random(8))
    make_readings(random.Random(9))
    make_products()


if __name__ == "__main__":
    main()
