//! The gold marts: countries, the calendar of 2026, and exchange rates.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Schema};

use super::files::{Lake, Layout, Made, booleans, dates, decimals, field, integers, longs, texts};
use super::schedule::Task;
use super::world::{COUNTRIES, Day, World};
use crate::error::{Error, Result};

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
/// Days off in 2026: New Year, Good Friday, Easter Monday, Labour Day, Ascension, Whit Monday,
/// Christmas and the day after.
const HOLIDAYS: [(i32, i32); 8] = [
    (1, 1),
    (4, 3),
    (4, 6),
    (5, 1),
    (5, 14),
    (5, 25),
    (12, 25),
    (12, 26),
];
/// What a euro costs on the first day, in millionths.
const RATES: [(&str, i64); 7] = [
    ("CHF", 941_200),
    ("EUR", 1_000_000),
    ("GBP", 853_700),
    ("JPY", 162_450_000),
    ("PLN", 4_268_500),
    ("SEK", 11_012_300),
    ("USD", 1_127_400),
];
const RATE_TYPE: (u8, i8) = (12, 6);

/// Everything that makes the marts.
pub(super) fn tasks<'a>(world: &'a World, lake: &'a Lake) -> Vec<Task<'a>> {
    vec![
        Task::new("gold/countries.parquet", 1, || countries(lake)),
        Task::new("gold/calendar.parquet", 1, || calendar(lake)),
        Task::new("gold/exchange_rates", 1, || exchange_rates(world, lake)),
    ]
}

fn countries(lake: &Lake) -> Result<Made> {
    let rows = || COUNTRIES.iter();
    let columns = vec![
        ("code", texts::<&str, _>(rows().map(|country| country.code))),
        ("name", texts::<&str, _>(rows().map(|country| country.name))),
        (
            "continent",
            texts::<&str, _>(rows().map(|country| country.continent)),
        ),
        (
            "population",
            longs(rows().map(|country| country.population)),
        ),
    ];
    save(lake, "gold/countries.parquet", Day::FIRST, columns)
}

fn calendar(lake: &Lake) -> Result<Made> {
    let days = Day::new(2026, 1, 1).to(Day::new(2026, 12, 31));
    let parts = || days.clone().map(Day::date);
    let is_holiday = |(_, month, day): (i32, i32, i32)| HOLIDAYS.contains(&(month, day));
    let columns = vec![
        ("day", dates(days.clone())),
        ("year", integers(parts().map(|(year, ..)| year))),
        ("month", integers(parts().map(|(_, month, _)| month))),
        (
            "quarter",
            integers(parts().map(|(_, month, _)| (month + 2) / 3)),
        ),
        (
            "weekday",
            texts::<&str, _>(days.clone().map(|day| WEEKDAYS[day.weekday() as usize])),
        ),
        ("is_holiday", booleans(parts().map(is_holiday))),
    ];
    save(lake, "gold/calendar.parquet", Day::FIRST, columns)
}

/// Two files: May to July, August to October.
fn exchange_rates(world: &World, lake: &Lake) -> Result<Made> {
    let mut rates: Vec<(Day, &str, i64)> = Vec::new();
    for (place, (currency, first)) in RATES.iter().enumerate() {
        let mut random = world.random("exchange_rates", place as i64);
        let mut rate = *first;
        for day in Day::all() {
            rates.push((day, currency, rate));
            // Moves by up to half a percent a day; the euro is its own measure.
            if *currency != "EUR" {
                rate += rate / 200 * random.between(-10, 10) / 10;
            }
        }
    }
    rates.sort_unstable();
    let (first, second) =
        rates.split_at(rates.partition_point(|rate| rate.0 < Day::new(2026, 8, 1)));
    let mut made = Made::default();
    for (half, name) in [(first, "2026-05_2026-07"), (second, "2026-08_2026-10")] {
        let rows = || half.iter();
        let columns = vec![
            ("day", dates(rows().map(|rate| rate.0))),
            ("currency", texts::<&str, _>(rows().map(|rate| rate.1))),
            ("rate", decimals(RATE_TYPE, rows().map(|rate| rate.2))),
        ];
        let last_day = half.last().map_or(Day::LAST, |rate| rate.0);
        let path = format!("gold/exchange_rates/{name}.parquet");
        made += save(lake, &path, last_day, columns)?;
    }
    Ok(made)
}

fn save(lake: &Lake, path: &str, day: Day, columns: Vec<(&str, ArrayRef)>) -> Result<Made> {
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, column)| field(name, DataType::clone(column.data_type())))
        .collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch =
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Error::internal)?;
    lake.save_parquet(path, day.at(4, 0), &batch, Layout::Groups(1))
}
