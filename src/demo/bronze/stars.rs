//! The stars users gave to products, most of them soon after they had seen the product's page.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};

use super::super::files::{Lake, Layout, Made, field, instants, longs, timestamp};
use super::super::world::{Day, Moment, Random, World};
use super::pageviews::PageView;
use crate::error::{Error, Result};

/// A star follows a page view within this time.
const DELAY_SECONDS_MAX: i64 = 14 * 60;
/// Of 100 stars, those that follow a page view.
const PERCENT_AFTER_VIEW: i64 = 70;

struct Star {
    starred_at: Moment,
    user_id: i64,
    product_id: i64,
}

/// Writes the files of all days.
pub(super) fn save(world: &World, lake: &Lake) -> Result<Made> {
    let mut made = Made::default();
    for day in Day::all() {
        let stars = stars_of(world, day);
        let rows = || stars.iter();
        let schema = Schema::new(vec![
            field("starred_at", timestamp()),
            field("user_id", DataType::Int64),
            field("product_id", DataType::Int64),
        ]);
        let columns = vec![
            instants(rows().map(|star| star.starred_at)),
            longs(rows().map(|star| star.user_id)),
            longs(rows().map(|star| star.product_id)),
        ];
        let batch = RecordBatch::try_new(Arc::new(schema), columns).map_err(Error::internal)?;
        let path = super::path_of_day("stars", day);
        made += lake.save_parquet(&path, day.at(23, 59), &batch, Layout::Groups(1))?;
    }
    Ok(made)
}

fn stars_of(world: &World, day: Day) -> Vec<Star> {
    let range = world.rows_of(day, world.n_stars);
    let n_stars = range.end - range.start;
    let mut random = world.random("stars", i64::from(day.0));
    let mut stars = stars_after_views(world, day, n_stars * PERCENT_AFTER_VIEW / 100, &mut random);
    let n_others = (n_stars as usize).saturating_sub(stars.len());
    for starred_at in day.moments(n_others, &mut random) {
        stars.push(Star {
            starred_at,
            user_id: world.visitor(day, &mut random),
            product_id: world.wanted_product(&mut random),
        });
    }
    stars.sort_by_key(|star| (star.starred_at, star.user_id, star.product_id));
    stars
}

/// Up to `n_stars`, spread evenly over the day's views of products by users.
fn stars_after_views(world: &World, day: Day, n_stars: i64, random: &mut Random) -> Vec<Star> {
    // Later views would be starred on the next day.
    let end = day.at(23, 45);
    let candidates: Vec<Star> = PageView::of_day(world, day)
        .into_iter()
        .filter(|view| view.viewed_at < end && view.status < 400)
        .filter_map(|view| {
            Some(Star {
                starred_at: view.viewed_at,
                user_id: view.user_id?,
                product_id: view.product_id?,
            })
        })
        .collect();
    let n_candidates = candidates.len() as i64;
    let n_stars = n_stars.min(n_candidates);
    let chosen = (0..n_stars).map(|star| {
        let (start, end) = (
            star * n_candidates / n_stars,
            (star + 1) * n_candidates / n_stars,
        );
        let view = &candidates[random.between(start, end - 1) as usize];
        let delay = random.between(5, DELAY_SECONDS_MAX);
        Star {
            starred_at: view.starred_at.plus_seconds(delay),
            ..*view
        }
    });
    chosen.collect()
}
