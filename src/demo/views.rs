//! The demo's views, which go with the program, and what to try first.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use super::failed;
use crate::error::Result;

macro_rules! view {
    ($path:literal) => {
        ($path, include_str!(concat!("../../views/", $path)))
    };
}

/// Path and text of each file of the views folder.
const VIEWS: &[(&str, &str)] = &[
    view!("_servers/warehouse.sql"),
    view!("gold/churn_by_tenure.sql"),
    view!("gold/daily_revenue.sql"),
    view!("gold/hashtags_by_country.sql"),
    view!("gold/orders.sql"),
    view!("gold/pageviews_per_method.sql"),
    view!("gold/products.sql"),
    view!("gold/revenue_by_country.sql"),
    view!("gold/revenue_by_month.sql"),
    view!("gold/slow_requests.sql"),
    view!("gold/starred_pageviews.sql"),
    view!("gold/temperature_per_minute.sql"),
    view!("gold/users.sql"),
    view!("gold/vip_access.sql"),
    view!("silver/campaigns.sql"),
    view!("silver/hashtags.sql"),
    view!("silver/temperatures.sql"),
    view!("silver/tweets.sql"),
    view!("silver/vips.sql"),
];

/// Queries worth trying, in the order of what they show.
const QUERIES: [&str; 5] = [
    "select * from gold.revenue_by_month order by order_month",
    "select * from gold.hashtags_by_country order by n_tweets desc limit 10",
    "select * from gold.churn_by_tenure order by tenure_years",
    "select * from gold.temperature_per_minute order by minute, device limit 10",
    "select tier, count(*), max(latency_ms) from gold.slow_requests group by tier",
];

/// Writes the views into `views/` of the lake's folder, unless there is one: what users change in
/// it is theirs.
///
/// # Errors
/// The folder cannot be written.
pub fn write(folder: &Path) -> Result<()> {
    let views = folder.join("views");
    if views.exists() {
        return Ok(());
    }
    // Beside its place first, so that it is there whole or not at all.
    let beside = folder.join("_views.part");
    for (path, text) in VIEWS {
        let file = beside.join(path);
        let made = file.parent().map_or(Ok(()), fs::create_dir_all);
        let written = made.and_then(|()| fs::write(&file, text));
        written.map_err(|error| failed("write", &file, error))?;
    }
    fs::rename(&beside, &views).map_err(|error| failed("write", &views, error))
}

/// How to come in, and what to try.
pub fn greeting(address: SocketAddr, database: &str) -> String {
    let (host, port) = (address.ip(), address.port());
    let mut lines = format!("\n  psql -h {host} -p {port} -d {database}\n\n");
    for query in QUERIES {
        lines.push_str(&format!("  {query};\n"));
    }
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_view_of_the_repository_goes_with_the_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("views");
        let mut found = BTreeSet::new();
        for schema in fs::read_dir(&root).unwrap() {
            let schema = schema.unwrap();
            for file in fs::read_dir(schema.path()).unwrap() {
                let path = file.unwrap().path();
                found.insert(path.strip_prefix(&root).unwrap().display().to_string());
            }
        }
        let carried: BTreeSet<String> = VIEWS.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(carried, found);
    }
}
