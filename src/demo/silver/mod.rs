//! The silver Delta tables, each with the history of a table that was used: appends, an update, a
//! delete, a new column, an optimize.

mod churn;
mod commit;
mod delta;
mod items;
mod orders;
mod pageviews;
mod products;
mod stats;
mod users;

use super::files::Lake;
use super::schedule::Task;
use super::world::World;

/// Everything that makes the Delta tables; large ones first.
pub(super) fn tasks<'a>(world: &'a World, lake: &'a Lake) -> Vec<Task<'a>> {
    vec![
        Task::new("silver/pageviews", 100, || pageviews::save(world, lake)),
        Task::new("silver/items", 60, || items::save(world, lake)),
        Task::new("silver/orders", 40, || orders::save(world, lake)),
        Task::new("silver/users", 10, || users::save(world, lake)),
        Task::new("silver/customer_churn", 4, || churn::save(world, lake)),
        Task::new("silver/products", 1, || products::save(world, lake)),
    ]
}
