//! `silver.pageviews`: every third page view, by day; since September with the user's country.

use std::ops::RangeInclusive;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::DataType;

use super::super::bronze::PageView;
use super::super::files::{
    Lake, Made, doubles, field, instants, integers, longs, mask, texts, timestamp, whole_of,
};
use super::super::world::{Day, World};
use super::delta::{DeltaTable, Part, Where};
use crate::error::Result;

/// One of so many page views gets here.
const SAMPLE_STEP: i64 = 3;

pub(super) fn save(world: &World, lake: &Lake) -> Result<Made> {
    let fields = vec![
        field("event_id", DataType::Int64),
        field("viewed_at", timestamp()),
        field("user_id", DataType::Int64),
        field("path", DataType::Utf8),
        field("http_method", DataType::Utf8),
        field("status", DataType::Int32),
        field("latency_ms", DataType::Float64),
        field("day", DataType::Date32),
    ];
    let mut table = DeltaTable::new(world, lake, "pageviews", fields, Some("day"));
    let date = |month, day| Day::new(2026, month, day);
    for month in 5..=8 {
        let next = date(month + 1, 1);
        append(&mut table, world, date(month, 1)..=next.plus(-1), 1)?;
    }
    let country = field("country", DataType::Utf8);
    table.add_column(date(9, 2).at(9, 0), country)?;
    append(&mut table, world, date(9, 1)..=date(9, 15), 1)?;
    append(&mut table, world, date(9, 16)..=date(9, 30), 1)?;
    table.update(
        date(10, 2).at(11, 0),
        &Where {
            text: "day >= '2026-08-24' AND day <= '2026-08-31' AND user_id IS NOT NULL",
            in_partition: &|day| ("2026-08-24"..="2026-08-31").contains(&day),
            matches: &|rows| signed_in(rows, true),
        },
        "country",
        &|rows| countries(world, rows),
    )?;
    table.delete(
        date(10, 5).at(23, 0),
        &Where {
            text: "day <= '2026-05-07' AND user_id IS NULL",
            in_partition: &|day| day <= "2026-05-07",
            matches: &|rows| signed_in(rows, false),
        },
    )?;
    append(&mut table, world, date(10, 1)..=date(10, 15), 2)?;
    append(&mut table, world, date(10, 16)..=date(10, 30), 2)?;
    table.optimize(date(10, 31).at(4, 0))?;
    Ok(table.made())
}

fn signed_in(rows: &RecordBatch, is_signed_in: bool) -> BooleanArray {
    let user_id = whole_of(rows, "user_id");
    mask(rows, |row| user_id(row).is_some() == is_signed_in)
}

fn countries(world: &World, rows: &RecordBatch) -> ArrayRef {
    let user_id = whole_of(rows, "user_id");
    let country = |row| user_id(row).map(|id| world.country_of(id).code);
    texts::<&str, _>((0..rows.num_rows()).map(country))
}

/// Appends the days on the morning after the last, each in `n_files` files.
fn append(
    table: &mut DeltaTable<'_>,
    world: &World,
    days: RangeInclusive<Day>,
    n_files: usize,
) -> Result<()> {
    let at = days.end().plus(1).at(2, 0);
    let mut parts = Vec::new();
    for day in days.start().to(*days.end()) {
        let views: Vec<PageView> = PageView::of_day(world, day)
            .into_iter()
            .filter(|view| view.event_id % SAMPLE_STEP == 0)
            .collect();
        for views in views.chunks(views.len().div_ceil(n_files).max(1)) {
            parts.push(Part {
                partition: Some(day.to_string()),
                rows: rows(table, world, views)?,
            });
        }
    }
    table.append(at, parts)
}

fn rows(table: &DeltaTable<'_>, world: &World, views: &[PageView]) -> Result<RecordBatch> {
    let rows = || views.iter();
    let mut columns = vec![
        longs(rows().map(|view| view.event_id)),
        instants(rows().map(|view| view.viewed_at)),
        longs(rows().map(|view| view.user_id)),
        texts::<String, _>(rows().map(PageView::path)),
        texts::<&str, _>(rows().map(|view| view.http_method)),
        integers(rows().map(|view| view.status)),
        doubles(rows().map(|view| view.latency_ms)),
    ];
    if table.has_column("country") {
        let country = |view: &PageView| view.user_id.map(|id| world.country_of(id).code);
        columns.push(texts::<&str, _>(rows().map(country)));
    }
    table.rows(columns)
}
