//! The people, things and days of which every table of the demo tells.

mod countries;
mod days;
mod names;
mod product;
mod random;
mod user;

pub(super) use countries::{COUNTRIES, Country};
pub(super) use days::{Day, Moment};
pub(super) use product::{CATEGORIES, Product};
pub(super) use random::Random;
pub(super) use user::User;

use std::ops::Range;

/// Sizes and seed of a lake; equal worlds tell the same.
pub(super) struct World {
    seed: u64,
    /// Users have the ids from 1 to this.
    pub(super) n_users: i64,
    /// Products have the ids from 1 to this.
    pub(super) n_products: i64,
    /// Rows of bronze page views.
    pub(super) n_pageviews: i64,
    /// Rows of bronze stars.
    pub(super) n_stars: i64,
    /// Orders ever placed.
    pub(super) n_orders: i64,
    /// Lines of bronze tweets.
    pub(super) n_tweets: i64,
    /// Customers of whom churn is told: the first users.
    pub(super) n_customers: i64,
    /// Rows of bronze campaigns.
    pub(super) n_campaigns: i64,
    /// Thermostats that report.
    pub(super) n_devices: i64,
    /// Traffic before each day, and at the end all of it.
    traffic: Vec<i64>,
}

impl World {
    /// The world at a scale; 1 is 50,000 users.
    pub(super) fn new(seed: u64, scale: f64) -> Self {
        let scaled = |n_rows: f64, n_rows_min: i64| ((n_rows * scale) as i64).max(n_rows_min);
        let mut traffic = vec![0];
        for day in Day::all() {
            traffic.push(traffic[traffic.len() - 1] + traffic_of(day));
        }
        Self {
            seed,
            n_users: scaled(50_000.0, 240),
            n_products: scaled(200.0, 20).min(200),
            n_pageviews: scaled(3_500_000.0, 8_000),
            n_stars: scaled(100_000.0, 400),
            n_orders: scaled(300_000.0, 1_000),
            n_tweets: scaled(60_000.0, 200),
            n_customers: scaled(20_000.0, 200),
            n_campaigns: scaled(500.0, 60),
            n_devices: scaled(40.0, 4),
            traffic,
        }
    }

    /// The random numbers of one row or chunk of a dataset.
    pub(super) fn random(&self, dataset: &str, index: i64) -> Random {
        Random::new(self.seed, dataset, index)
    }

    /// The part of `total` rows that falls on a day; busier days have more.
    pub(super) fn rows_of(&self, day: Day, total: i64) -> Range<i64> {
        let place = day.place();
        let all = self.traffic[self.traffic.len() - 1];
        total * self.traffic[place] / all..total * self.traffic[place + 1] / all
    }

    /// Users signed up before the day began.
    pub(super) fn n_users_before(&self, day: Day) -> i64 {
        let before = user::n_users_at_start(self);
        before + (self.n_users - before) * day.place() as i64 / Day::COUNT as i64
    }

    /// One of the users of that day, the older ones more often.
    pub(super) fn visitor(&self, day: Day, random: &mut Random) -> i64 {
        let place = random.unit();
        1 + (place * place * self.n_users_before(day) as f64) as i64
    }
}

/// Grows over the months and is lower on weekends.
fn traffic_of(day: Day) -> i64 {
    let workday = 1_000 + 3 * day.place() as i64;
    match day.weekday() {
        5 | 6 => workday * 4 / 5,
        _ => workday,
    }
}
