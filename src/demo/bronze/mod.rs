//! The bronze files: what came in, each in the format of its sender.

mod avro;
mod campaigns;
mod pageviews;
mod products;
mod stars;
mod thermostat;
mod tweets;
mod users;
mod vip;

pub(super) use pageviews::PageView;

use super::files::Lake;
use super::schedule::Task;
use super::world::{Day, World};

/// Everything that makes the bronze files; large pieces first.
pub(super) fn tasks<'a>(world: &'a World, lake: &'a Lake) -> Vec<Task<'a>> {
    let mut tasks = vec![
        Task::new("bronze/tweets.jsonl", 20, || tweets::save(world, lake)),
        Task::new("bronze/stars", 40, || stars::save(world, lake)),
    ];
    tasks.extend(Day::all().map(|day| {
        Task::new("bronze/pageviews", 2, move || {
            pageviews::save(world, lake, day)
        })
    }));
    tasks.extend(thermostat::days().map(|day| {
        Task::new("bronze/thermostat", 10, move || {
            thermostat::save(world, lake, day)
        })
    }));
    tasks.extend([
        Task::new("bronze/users.jsonl", 10, || users::save(world, lake)),
        Task::new("bronze/products", 1, || products::save(world, lake)),
        Task::new("bronze/campaigns.csv", 1, || campaigns::save(world, lake)),
        Task::new("bronze/vip.json", 1, || vip::save(world, lake)),
    ]);
    tasks
}

/// Where the Parquet file of a day lies, in Hive partitions.
fn path_of_day(folder: &str, day: Day) -> String {
    let (year, month, day) = day.date();
    format!("bronze/{folder}/year={year}/month={month:02}/day={day:02}/part-0.parquet")
}
