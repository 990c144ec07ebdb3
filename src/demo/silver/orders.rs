//! `silver.orders`: the orders by month; since September with the channel they came by.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::DataType;

use super::super::files::{
    Lake, Made, field, instants, longs, mask, text_of, texts, timestamp, whole_of,
};
use super::super::world::{Day, Moment, World};
use super::delta::{DeltaTable, Part, Where};
use crate::error::Result;

/// Of the orders of May, one of so many was a test of the shop.
pub(super) const TEST_ORDER_STEP: i64 = 97;

const STATUSES: [&str; 6] = [
    "delivered",
    "shipped",
    "paid",
    "placed",
    "returned",
    "cancelled",
];
const STATUS_WEIGHTS: [i64; 6] = [60, 14, 8, 5, 5, 8];
const CHANNELS: [&str; 4] = ["web", "app", "store", "partner"];
const CHANNEL_WEIGHTS: [i64; 4] = [50, 35, 10, 5];

/// An order, without what was ordered.
struct Order {
    id: i64,
    user_id: i64,
    ordered_at: Moment,
    status: &'static str,
    channel: &'static str,
}

/// The ids of the orders placed on these days.
pub(super) fn ids_of(world: &World, days: &RangeInclusive<Day>) -> RangeInclusive<i64> {
    let first = world.rows_of(*days.start(), world.n_orders).start + 1;
    first..=world.rows_of(*days.end(), world.n_orders).end
}

/// The days whose orders are written together, and by how many days' files.
pub(super) fn loads() -> [(RangeInclusive<Day>, usize); 7] {
    let days = |month, first, last| Day::new(2026, month, first)..=Day::new(2026, month, last);
    [
        (days(5, 1, 31), 1),
        (days(6, 1, 30), 1),
        (days(7, 1, 31), 1),
        (days(8, 1, 31), 1),
        (days(9, 1, 30), 2),
        (days(10, 1, 15), 1),
        (days(10, 16, 30), 1),
    ]
}

pub(super) fn save(world: &World, lake: &Lake) -> Result<Made> {
    let fields = vec![
        field("id", DataType::Int64),
        field("user_id", DataType::Int64),
        field("ordered_at", timestamp()),
        field("status", DataType::Utf8),
        field("currency", DataType::Utf8),
        field("order_month", DataType::Utf8),
    ];
    let mut table = DeltaTable::new(world, lake, "orders", fields, Some("order_month"));
    let (old_loads, new_loads) = loads()
        .into_iter()
        .enumerate()
        .partition::<Vec<_>, _>(|load| load.0 < 4);
    for (_, (days, n_files)) in old_loads {
        append(&mut table, world, days, n_files)?;
    }
    table.update(
        Day::new(2026, 9, 3).at(14, 0),
        &Where {
            text: "order_month <= '2026-06' AND status = 'shipped'",
            in_partition: &|month| month <= "2026-06",
            matches: &|rows| {
                let status = text_of(rows, "status");
                mask(rows, |row| status(row) == Some("shipped"))
            },
        },
        "status",
        &|rows| Arc::new(StringArray::from(vec!["delivered"; rows.num_rows()])),
    )?;
    let channel = field("channel", DataType::Utf8);
    table.add_column(Day::new(2026, 9, 10).at(8, 30), channel)?;
    for (place, (days, n_files)) in new_loads {
        append(&mut table, world, days, n_files)?;
        if place == 4 {
            delete_tests(&mut table)?;
        }
    }
    table.optimize(Day::new(2026, 10, 31).at(3, 0))?;
    Ok(table.made())
}

fn delete_tests(table: &mut DeltaTable<'_>) -> Result<()> {
    table.delete(
        Day::new(2026, 10, 6).at(10, 0),
        &Where {
            text: &format!("order_month = '2026-05' AND id % {TEST_ORDER_STEP} = 0"),
            in_partition: &|month| month == "2026-05",
            matches: &|rows| {
                let id = whole_of(rows, "id");
                mask(rows, |row| {
                    id(row).is_some_and(|id| id % TEST_ORDER_STEP == 0)
                })
            },
        },
    )
}

/// Appends the orders of days of one month on the morning after the last.
fn append(
    table: &mut DeltaTable<'_>,
    world: &World,
    days: RangeInclusive<Day>,
    n_files: usize,
) -> Result<()> {
    let orders: Vec<Order> = days
        .start()
        .to(*days.end())
        .flat_map(|day| orders_of(world, day))
        .collect();
    let mut parts = Vec::new();
    for orders in orders.chunks(orders.len().div_ceil(n_files).max(1)) {
        parts.push(Part {
            partition: Some(days.start().month()),
            rows: rows(table, world, orders)?,
        });
    }
    table.append(days.end().plus(1).at(1, 0), parts)
}

fn orders_of(world: &World, day: Day) -> Vec<Order> {
    let ids = ids_of(world, &(day..=day));
    let mut random = world.random("orders", i64::from(day.0));
    let n_orders = (ids.end() + 1 - ids.start()) as usize;
    let moments = day.moments(n_orders, &mut random);
    ids.zip(moments)
        .map(|(id, ordered_at)| Order {
            id,
            user_id: world.visitor(day, &mut random),
            ordered_at,
            status: STATUSES[random.weighted(&STATUS_WEIGHTS)],
            channel: CHANNELS[random.weighted(&CHANNEL_WEIGHTS)],
        })
        .collect()
}

fn rows(table: &DeltaTable<'_>, world: &World, orders: &[Order]) -> Result<RecordBatch> {
    let rows = || orders.iter();
    let currency = |order: &Order| world.country_of(order.user_id).currency;
    let mut columns = vec![
        longs(rows().map(|order| order.id)),
        longs(rows().map(|order| order.user_id)),
        instants(rows().map(|order| order.ordered_at)),
        texts::<&str, _>(rows().map(|order| order.status)),
        texts::<&str, _>(rows().map(currency)),
    ];
    if table.has_column("channel") {
        columns.push(texts::<&str, _>(rows().map(|order| order.channel)));
    }
    table.rows(columns)
}
