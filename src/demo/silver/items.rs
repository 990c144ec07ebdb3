//! `silver.items`: what was ordered, line by line; since September with a discount.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{Int32Array, RecordBatch};
use arrow::datatypes::DataType;

use super::super::files::{Lake, Made, decimals, field, integers, longs, mask, whole_of};
use super::super::world::{Day, World};
use super::delta::{DeltaTable, Where};
use super::orders::{self, TEST_ORDER_STEP};
use crate::error::Result;

const PRICE: (u8, i8) = (10, 2);
/// A discount in percent.
const DISCOUNT: (u8, i8) = (4, 2);
/// Orders have three lines on average.
const LINES_WEIGHTS: [i64; 8] = [0, 22, 24, 20, 14, 10, 6, 4];
const QUANTITY_WEIGHTS: [i64; 7] = [0, 60, 22, 9, 4, 3, 2];

/// A line of an order.
struct Item {
    order_id: i64,
    line: i32,
    product_id: i64,
    quantity: i32,
    /// In hundredths of a percent; most lines have none.
    discount: Option<i64>,
}

pub(super) fn save(world: &World, lake: &Lake) -> Result<Made> {
    let fields = vec![
        field("order_id", DataType::Int64),
        field("line", DataType::Int32),
        field("product_id", DataType::Int64),
        field("quantity", DataType::Int32),
        field("unit_price", DataType::Decimal128(PRICE.0, PRICE.1)),
    ];
    let mut table = DeltaTable::new(world, lake, "items", fields, None);
    let prices: Vec<i64> = (1..=world.n_products)
        .map(|id| world.product(id).price_cents)
        .collect();
    for (place, (days, n_files)) in orders::loads().into_iter().enumerate() {
        if place == 4 {
            correct_quantities(&mut table)?;
            let discount = field("discount", DataType::Decimal128(DISCOUNT.0, DISCOUNT.1));
            table.add_column(Day::new(2026, 9, 10).at(8, 35), discount)?;
        }
        if place == 5 {
            delete_tests(&mut table, world)?;
        }
        append(&mut table, world, &prices, &days, n_files)?;
    }
    table.optimize(Day::new(2026, 10, 31).at(3, 20))?;
    Ok(table.made())
}

/// A product that is sold in sets had been counted by the piece.
fn correct_quantities(table: &mut DeltaTable<'_>) -> Result<()> {
    table.update(
        Day::new(2026, 9, 3).at(14, 30),
        &Where {
            text: "product_id = 3 AND quantity > 1",
            in_partition: &|_| true,
            matches: &|rows| {
                let (product_id, quantity) =
                    (whole_of(rows, "product_id"), whole_of(rows, "quantity"));
                mask(rows, |row| {
                    product_id(row) == Some(3) && quantity(row).is_some_and(|count| count > 1)
                })
            },
        },
        "quantity",
        &|rows| Arc::new(Int32Array::from(vec![1; rows.num_rows()])),
    )
}

/// Deletes the lines of the test orders, which orders itself forgets as well.
fn delete_tests(table: &mut DeltaTable<'_>, world: &World) -> Result<()> {
    let may = Day::new(2026, 5, 1)..=Day::new(2026, 5, 31);
    let last_order = *orders::ids_of(world, &may).end();
    table.delete(
        Day::new(2026, 10, 6).at(10, 5),
        &Where {
            text: &format!("order_id <= {last_order} AND order_id % {TEST_ORDER_STEP} = 0"),
            in_partition: &|_| true,
            matches: &|rows| {
                let order_id = whole_of(rows, "order_id");
                let is_test = |id| id <= last_order && id % TEST_ORDER_STEP == 0;
                mask(rows, |row| order_id(row).is_some_and(is_test))
            },
        },
    )
}

fn append(
    table: &mut DeltaTable<'_>,
    world: &World,
    prices: &[i64],
    days: &RangeInclusive<Day>,
    n_files: usize,
) -> Result<()> {
    let ids = orders::ids_of(world, days);
    let items: Vec<Item> = ids.flat_map(|id| items_of(world, id)).collect();
    let chunks = items.chunks(items.len().div_ceil(n_files).max(1));
    let batches: Vec<RecordBatch> = chunks
        .map(|items| rows(table, prices, items))
        .collect::<Result<_>>()?;
    table.append(days.end().plus(1).at(1, 10), batches)
}

fn items_of(world: &World, order_id: i64) -> Vec<Item> {
    let mut random = world.random("items", order_id);
    let n_lines = random.weighted(&LINES_WEIGHTS) as i32;
    let items = (1..=n_lines).map(|line| Item {
        order_id,
        line,
        product_id: world.wanted_product(&mut random),
        quantity: random.weighted(&QUANTITY_WEIGHTS) as i32,
        discount: random.percent(25).then(|| 250 * random.between(1, 12)),
    });
    items.collect()
}

fn rows(table: &DeltaTable<'_>, prices: &[i64], items: &[Item]) -> Result<RecordBatch> {
    let rows = || items.iter();
    let price = |item: &Item| prices[item.product_id as usize - 1];
    let mut columns = vec![
        longs(rows().map(|item| item.order_id)),
        integers(rows().map(|item| item.line)),
        longs(rows().map(|item| item.product_id)),
        integers(rows().map(|item| item.quantity)),
        decimals(PRICE, rows().map(price)),
    ];
    if table.has_column("discount") {
        columns.push(decimals(DISCOUNT, rows().map(|item| item.discount)));
    }
    table.rows(columns)
}
