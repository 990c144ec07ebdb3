#!/usr/bin/env python3
"""Compares every view of the demo with what DuckDB and Python compute of the same files, row by row.

The views are not read here: each one's meaning is said once more, over what other readers (DuckDB, Python's
deltalake, fastavro and json) find in the files. Rows are compared as bags.
"""

import argparse
import json
import sys
from collections import Counter
from datetime import date, datetime, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import fastavro
import psycopg
from compare import normal
from deltalake import DeltaTable

ROOT = Path(__file__).resolve().parent.parent.parent

SLOW = """select p.event_id, p.viewed_at, p.path, p.http_method, p.status, p.latency_ms, u.id, u.name, u.tier
  from pageviews p left join users u on u.id = p.user_id where latency_ms > 2000"""

AMOUNTS = """select order_id, count(*) as n_items, sum(quantity) as quantity,
    sum(round(quantity * unit_price * (100 - coalesce(discount, 0)) / 100.0, 2)::decimal(18, 2)) as amount
  from items group by order_id"""

# The meaning of each view that DuckDB computes.
BY_DUCKDB = {
    "silver.campaigns": "select * exclude (note), date_diff('day', started_on, ended_on) from campaigns where started_on is not null",
    "gold.users": """select id, name, email, country, tier, signed_up_at, marketing_consent,
        (select count(*) from orders o where o.user_id = u.id),
        (select max(ordered_at) from orders o where o.user_id = u.id),
        (select churned from customer_churn c where c.customer_id = u.id) from users u""",
    "gold.orders": f"""select id, user_id, ordered_at, order_month, status, currency, channel, n_items, quantity, amount
        from orders join ({AMOUNTS}) on order_id = id""",
    "gold.revenue_by_country": f"""select c.name, currency, count(*), sum(amount)
        from ({AMOUNTS}) join orders o on order_id = o.id join users u on u.id = o.user_id
        join countries c on c.code = u.country where o.status != 'cancelled' group by all""",
    "gold.daily_revenue": """select ordered_at::date, c.name, p.name, currency, sum(quantity),
        sum(round(quantity * unit_price * (100 - coalesce(discount, 0)) / 100.0, 2)::decimal(18, 2))
        from items i join orders o on order_id = o.id join products p on p.id = product_id join users u on u.id = o.user_id
        join countries c on c.code = u.country where o.status != 'cancelled' group by all""",
    "gold.churn_by_tenure": """select tenure_months // 12, count(*), count(*) filter (churned),
        round(count(*) filter (churned) * 100::decimal(18, 10) / count(*), 1)::decimal(10, 1) from customer_churn group by 1""",
    "gold.pageviews_per_method": """select time_bucket(interval '5 minutes', viewed_at), http_method, count(*),
        count(*) filter (status >= 500), max(latency_ms) from pageviews group by 1, 2""",
    "gold.slow_requests": SLOW,
    "gold.starred_pageviews": """select event_id, viewed_at, p.user_id, path, product_id, starred_at
        from stars s, pageviews p where p.user_id = s.user_id
        and epoch_ms(starred_at) - epoch_ms(viewed_at) between 0 and 899999""",
}


def peer(lake: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    readers = {
        "campaigns": f"read_csv('{lake}/bronze/campaigns.csv', header = true, delim = ';')",
        "pageviews": f"read_parquet('{lake}/bronze/pageviews/**/*.parquet')",
        "stars": f"read_parquet('{lake}/bronze/stars/**/*.parquet')",
        "countries": f"read_parquet('{lake}/gold/countries.parquet')",
        "rates": f"read_parquet('{lake}/gold/exchange_rates/*.parquet')",
    }
    for name, reader in readers.items():
        connection.execute(f"create view {name} as select * from {reader}")
    for name in ["users", "products", "orders", "items", "customer_churn"]:
        connection.register(f"delta_{name}", DeltaTable(lake / "silver" / name).to_pyarrow_table())
        connection.execute(f"create table {name} as select * from delta_{name}")
    return connection


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def tweets(lake: Path) -> list[tuple]:
    rows = []
    for tweet in lines(lake / "bronze/tweets.jsonl"):
        place = (tweet["geo"] or {}).get("place") or {}
        rows.append(
            (tweet["id"], instant(tweet["created_at"]), tweet["user"]["screen_name"], tweet["lang"], tweet["text"],
             place.get("country_code"), place.get("city"), tweet["retweet_count"], tweet["favorite_count"])
        )
    return rows


def hashtags(lake: Path) -> list[tuple]:
    rows = []
    for tweet in lines(lake / "bronze/tweets.jsonl"):
        country = ((tweet["geo"] or {}).get("place") or {}).get("country_code")
        rows += [(tweet["id"], country, tag["text"].lower()) for tag in tweet["entities"]["hashtags"]]
    return rows


def hashtags_by_country(lake: Path, duck: duckdb.DuckDBPyConnection) -> list[tuple]:
    countries = {code: (continent, name) for code, name, continent, _ in duck.execute("from countries").fetchall()}
    counts = Counter((country, tag) for _, country, tag in hashtags(lake) if country in countries)
    return [(*countries[country], tag, count) for (country, tag), count in counts.items()]


def readings(lake: Path) -> list[tuple]:
    rows = []
    for path in sorted((lake / "bronze/thermostat").rglob("*.avro")):
        with path.open("rb") as file:
            for event in fastavro.reader(file):
                body = json.loads(event["Body"], parse_float=Decimal)
                rows.append(
                    (body["device"], instant(body["ts"]), Decimal(body["temperature"]).quantize(Decimal("0.01")),
                     body["occupancy"])
                )
    return rows


def temperature_per_minute(lake: Path) -> list[tuple]:
    groups: dict[tuple, list] = {}
    for device, at, temperature, occupancy in readings(lake):
        groups.setdefault((device, at.replace(second=0, microsecond=0)), []).append((temperature, occupancy))
    rows = []
    for (device, minute), values in groups.items():
        mean = sum(value for value, _ in values) / len(values)
        occupancies = [occupancy for _, occupancy in values if occupancy is not None]
        rows.append(
            (device, minute, len(values), mean.quantize(Decimal("0.01"), ROUND_HALF_UP), max(occupancies, default=None))
        )
    return rows


def revenue_by_month(duck: duckdb.DuckDBPyConnection) -> list[tuple]:
    rates = {(day, currency): rate for day, currency, rate in duck.execute("select day, currency, rate from rates").fetchall()}
    orders = duck.execute(
        f"""select order_month, ordered_at::date, currency, amount from ({AMOUNTS}) join orders on order_id = id
        where status != 'cancelled'"""
    ).fetchall()
    months: dict[str, list[Decimal]] = {}
    for month, day, currency, amount in orders:
        rate = rates.get((day, currency), Decimal(1))
        months.setdefault(month, []).append((amount / rate).quantize(Decimal("0.01"), ROUND_HALF_UP))
    return [(month, len(amounts), sum(amounts)) for month, amounts in months.items()]


def products(lake: Path, duck: duckdb.DuckDBPyConnection) -> list[tuple]:
    documents = {}
    for path in (lake / "bronze/products").glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        documents[document["id"]] = document
    rows = duck.execute(
        "select id, name, category, price, supplier from products where discontinued is distinct from true"
    ).fetchall()
    return [
        (*row, documents[row[0]]["supplier"]["country"], float(documents[row[0]]["dimensions"]["weight_kg"]),
         len(documents[row[0]]["tags"]))
        for row in rows
    ]


def vips(lake: Path) -> list[dict]:
    return json.loads((lake / "bronze/vip.json").read_text(encoding="utf-8"))["vips"]


def vip_access(lake: Path, duck: duckdb.DuckDBPyConnection) -> list[tuple]:
    names = dict(duck.execute("select id, name from users").fetchall())
    return [
        (vip["user_id"], names.get(vip["user_id"]), vip["level"], date.fromisoformat(vip["since"]), door)
        for vip in vips(lake)
        for door in vip["access"]
    ]


def expected(lake: Path) -> dict[str, list[tuple]]:
    """The rows of every view."""
    duck = peer(lake)
    found = {view: duck.execute(text).fetchall() for view, text in BY_DUCKDB.items()}
    found["silver.tweets"] = tweets(lake)
    found["silver.hashtags"] = hashtags(lake)
    found["silver.temperatures"] = readings(lake)
    found["silver.vips"] = [
        (vip["user_id"], vip["level"], date.fromisoformat(vip["since"]), vip["access"]) for vip in vips(lake)
    ]
    found["gold.hashtags_by_country"] = hashtags_by_country(lake, duck)
    found["gold.temperature_per_minute"] = temperature_per_minute(lake)
    found["gold.revenue_by_month"] = revenue_by_month(duck)
    found["gold.products"] = products(lake, duck)
    found["gold.vip_access"] = vip_access(lake, duck)
    return found


def bag(rows: list[tuple]) -> Counter:
    return Counter(repr(tuple(normal(value) for value in row)) for row in rows)


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--gateway", required=True)
    arguments.add_argument("--lake", required=True, type=Path)
    given = arguments.parse_args()
    host, port = given.gateway.split(":")
    views = {path.relative_to(ROOT / "views").with_suffix("").as_posix().replace("/", ".")
             for path in (ROOT / "views").rglob("*.sql") if not path.parent.name.startswith("_")}
    theirs, failures = expected(given.lake), []
    if views != theirs.keys():
        failures.append(f"said once more: {sorted(theirs)}; views: {sorted(views)}")
    with psycopg.connect(host=host, port=port, user="postgres", autocommit=True) as gateway:
        for view, rows in sorted(theirs.items()):
            assert rows, f"{view}: an empty answer proves nothing"
            try:
                ours = bag(gateway.execute(f"select * from {view}").fetchall())
            except psycopg.Error as error:
                failures.append(f"{view}: {error}")
                continue
            rows = bag(rows)
            if ours != rows:
                failures.append(
                    f"{view}: {rows.total()} rows, ours {ours.total()}\n"
                    + "\n".join(f"  theirs   {row}" for row in list((rows - ours).elements())[:3]) + "\n"
                    + "\n".join(f"  lakegate {row}" for row in list((ours - rows).elements())[:3])
                )
    print("\n".join(failures))
    print(f"{len(theirs)} views, {sum(map(len, theirs.values()))} rows")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
