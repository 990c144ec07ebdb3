//! `silver.users`: the users, cleaned; since August with their consent to marketing.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::DataType;

use super::super::files::{
    Lake, Made, booleans, field, instants, longs, mask, text_of, texts, timestamp, whole_of,
};
use super::super::world::{Day, User, World};
use super::delta::{DeltaTable, Where};
use crate::error::Result;

/// Of so many users one asks to be forgotten.
const FORGOTTEN_STEP: i64 = 50;

pub(super) fn save(world: &World, lake: &Lake) -> Result<Made> {
    let fields = vec![
        field("id", DataType::Int64),
        field("name", DataType::Utf8),
        field("email", DataType::Utf8),
        field("country", DataType::Utf8),
        field("tier", DataType::Utf8),
        field("signed_up_at", timestamp()),
    ];
    let mut table = DeltaTable::new(world, lake, "users", fields, None);
    let known = |month, day| world.n_users_before(Day::new(2026, month, day));
    let half = known(5, 4) / 2;
    let first = [
        rows(&table, world, 1..=half)?,
        rows(&table, world, half + 1..=known(5, 4))?,
    ];
    table.append(Day::new(2026, 5, 4).at(2, 10), first)?;
    for (from, to) in [((5, 4), (6, 1)), ((6, 1), (7, 1))] {
        let new = rows(&table, world, known(from.0, from.1) + 1..=known(to.0, to.1))?;
        table.append(Day::new(2026, to.0, to.1).at(2, 10), [new])?;
    }
    table.update(
        Day::new(2026, 7, 15).at(9, 30),
        &Where {
            text: "country = 'DE' AND tier = 'free'",
            in_partition: &|_| true,
            matches: &|rows| {
                let (country, tier) = (text_of(rows, "country"), text_of(rows, "tier"));
                mask(rows, |row| {
                    country(row) == Some("DE") && tier(row) == Some("free")
                })
            },
        },
        "tier",
        &|rows| Arc::new(StringArray::from(vec!["pro"; rows.num_rows()])),
    )?;
    let consent = field("marketing_consent", DataType::Boolean);
    table.add_column(Day::new(2026, 8, 1).at(8, 0), consent)?;
    for (from, to) in [((7, 1), (8, 2)), ((8, 2), (9, 1))] {
        let new = rows(&table, world, known(from.0, from.1) + 1..=known(to.0, to.1))?;
        table.append(Day::new(2026, to.0, to.1).at(2, 10), [new])?;
    }
    table.delete(
        Day::new(2026, 9, 20).at(16, 45),
        &Where {
            text: &format!("id % {FORGOTTEN_STEP} = 0"),
            in_partition: &|_| true,
            matches: &|rows| {
                let id = whole_of(rows, "id");
                mask(rows, |row| {
                    id(row).is_some_and(|id| id % FORGOTTEN_STEP == 0)
                })
            },
        },
    )?;
    let new = rows(&table, world, known(9, 1) + 1..=known(10, 1))?;
    table.append(Day::new(2026, 10, 1).at(2, 10), [new])?;
    table.optimize(Day::new(2026, 10, 20).at(3, 0))?;
    Ok(table.made())
}

/// The users of these ids, in the columns that the table has by now.
fn rows(table: &DeltaTable<'_>, world: &World, ids: RangeInclusive<i64>) -> Result<RecordBatch> {
    let users: Vec<User> = ids.map(|id| world.user(id)).collect();
    let rows = || users.iter();
    let name = |user: &User| format!("{} {}", user.first_name, user.last_name);
    let mut columns = vec![
        longs(rows().map(|user| user.id)),
        texts::<String, _>(rows().map(name)),
        texts::<&str, _>(rows().map(|user| user.email.as_str())),
        texts::<&str, _>(rows().map(|user| user.country.code)),
        texts::<&str, _>(rows().map(|user| user.tier)),
        instants(rows().map(|user| user.signed_up_at)),
    ];
    if table.has_column("marketing_consent") {
        columns.push(booleans(rows().map(|user| user.marketing_consent)));
    }
    table.rows(columns)
}
