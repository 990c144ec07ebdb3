//! `silver.products`: the products with their prices, which change; since July also discontinued ones.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Decimal128Array, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type};

use super::super::files::{
    Lake, Made, booleans, decimals, field, longs, mask, text_of, texts, whole_of,
};
use super::super::world::{Day, Product, World};
use super::delta::{DeltaTable, Where};
use crate::error::Result;

const PRICE: (u8, i8) = (10, 2);

pub(super) fn save(world: &World, lake: &Lake) -> Result<Made> {
    let fields = vec![
        field("id", DataType::Int64),
        field("name", DataType::Utf8),
        field("category", DataType::Utf8),
        field("price", DataType::Decimal128(PRICE.0, PRICE.1)),
        field("supplier", DataType::Utf8),
    ];
    let mut table = DeltaTable::new(world, lake, "products", fields, None);
    let (n_first, n_second) = (world.n_products * 3 / 5, world.n_products * 4 / 5);
    let first = rows(&table, world, 1..=n_first)?;
    table.append(Day::new(2026, 5, 2).at(6, 0), [first])?;
    let second = rows(&table, world, n_first + 1..=n_second)?;
    table.append(Day::new(2026, 6, 2).at(6, 0), [second])?;
    table.update(
        Day::new(2026, 7, 1).at(0, 5),
        &Where {
            text: "category = 'tea'",
            in_partition: &|_| true,
            matches: &|rows| {
                let category = text_of(rows, "category");
                mask(rows, |row| category(row) == Some("tea"))
            },
        },
        "price",
        &|rows| Arc::new(dearer(rows)),
    )?;
    let discontinued = field("discontinued", DataType::Boolean);
    table.add_column(Day::new(2026, 7, 20).at(10, 0), discontinued)?;
    let third = rows(&table, world, n_second + 1..=world.n_products)?;
    table.append(Day::new(2026, 8, 3).at(6, 0), [third])?;
    let every = |step: i64| {
        move |rows: &RecordBatch| {
            let id = whole_of(rows, "id");
            mask(rows, |row| id(row).is_some_and(|id| id % step == 0))
        }
    };
    table.update(
        Day::new(2026, 9, 7).at(12, 0),
        &Where {
            text: "id % 9 = 0",
            in_partition: &|_| true,
            matches: &every(9),
        },
        "discontinued",
        &|rows| Arc::new(BooleanArray::from(vec![true; rows.num_rows()])),
    )?;
    table.delete(
        Day::new(2026, 10, 5).at(12, 0),
        &Where {
            text: "id % 18 = 0",
            in_partition: &|_| true,
            matches: &every(18),
        },
    )?;
    table.optimize(Day::new(2026, 10, 20).at(3, 10))?;
    Ok(table.made())
}

/// The prices, five percent higher.
fn dearer(rows: &RecordBatch) -> Decimal128Array {
    let prices = rows["price"].as_primitive::<Decimal128Type>();
    prices
        .unary::<_, Decimal128Type>(|price| (price * 105 + 50) / 100)
        .with_data_type(prices.data_type().clone())
}

fn rows(table: &DeltaTable<'_>, world: &World, ids: RangeInclusive<i64>) -> Result<RecordBatch> {
    let products: Vec<Product> = ids.map(|id| world.product(id)).collect();
    let rows = || products.iter();
    let mut columns = vec![
        longs(rows().map(|product| product.id)),
        texts::<&str, _>(rows().map(|product| product.name.as_str())),
        texts::<&str, _>(rows().map(|product| product.category)),
        decimals(PRICE, rows().map(|product| product.price_cents)),
        texts::<&str, _>(rows().map(|product| product.supplier)),
    ];
    if table.has_column("discontinued") {
        columns.push(booleans(rows().map(|_| false)));
    }
    table.rows(columns)
}
