//! The page views of a day, and the Parquet file of them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};

use super::super::files::{
    Lake, Layout, Made, doubles, field, instants, integers, longs, texts, timestamp,
};
use super::super::world::{Day, Moment, Random, World};
use crate::error::{Error, Result};

/// The shop's hosting failed for an hour on this day, from `INCIDENT_HOUR`.
const INCIDENT_DAY: Day = Day::new(2026, 8, 19);
const INCIDENT_HOUR: i64 = 14;

const N_ROW_GROUPS: usize = 3;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "HEAD"];
const STATUSES: [i32; 10] = [200, 301, 304, 400, 401, 403, 404, 500, 502, 503];
const STATUS_WEIGHTS: [i64; 10] = [8_600, 150, 500, 60, 90, 50, 420, 70, 30, 30];

/// Shares of views, and the milliseconds below which they were answered.
const LATENCIES: [(f64, f64); 8] = [
    (0.0, 3.0),
    (0.1, 14.0),
    (0.5, 48.0),
    (0.75, 110.0),
    (0.9, 260.0),
    (0.99, 1_100.0),
    (0.998, 2_400.0),
    (1.0, 9_500.0),
];

const PAGES: [&str; 14] = [
    "/",
    "/products",
    "/search",
    "/cart",
    "/checkout",
    "/account",
    "/login",
    "/logout",
    "/help",
    "/blog/brewing-guide",
    "/blog/harvest-2026",
    "/blog/behind-the-roastery",
    "/api/v1/items",
    "/api/v1/prices",
];
const PAGE_WEIGHTS: [i64; 14] = [22, 12, 10, 9, 4, 5, 6, 2, 2, 4, 3, 2, 11, 8];

const AGENTS: [&str; 10] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/136.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.4 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/136.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:138.0) Gecko/20100101 Firefox/138.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:138.0) Gecko/20100101 Firefox/138.0",
    "Mozilla/5.0 (iPad; CPU OS 18_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.13.0",
    "python-requests/2.32.3",
];
const AGENT_WEIGHTS: [i64; 10] = [30, 16, 20, 16, 4, 8, 4, 3, 1, 1];

/// One request for a page.
pub(crate) struct PageView {
    pub(crate) event_id: i64,
    pub(crate) viewed_at: Moment,
    /// None is a visitor who had not signed in.
    pub(crate) user_id: Option<i64>,
    /// The product whose page it is.
    pub(crate) product_id: Option<i64>,
    page: &'static str,
    pub(crate) http_method: &'static str,
    pub(crate) status: i32,
    pub(crate) latency_ms: f64,
    client_ip: u32,
    user_agent: &'static str,
}

impl PageView {
    /// The views of a day in order of time.
    pub(crate) fn of_day(world: &World, day: Day) -> Vec<Self> {
        let ids = world.rows_of(day, world.n_pageviews);
        let mut random = world.random("pageviews", i64::from(day.0));
        let moments = day.moments((ids.end - ids.start) as usize, &mut random);
        ids.zip(moments)
            .map(|(id, viewed_at)| view(world, id + 1, viewed_at, &mut random))
            .collect()
    }

    /// `/products/17`, or the page's own path.
    pub(crate) fn path(&self) -> String {
        match self.product_id {
            Some(id) => format!("/products/{id}"),
            None => self.page.to_owned(),
        }
    }
}

fn view(world: &World, event_id: i64, viewed_at: Moment, random: &mut Random) -> PageView {
    let day = viewed_at.day();
    let is_incident = day == INCIDENT_DAY && viewed_at.time().0 == INCIDENT_HOUR;
    let user_id = (!random.percent(20)).then(|| world.visitor(day, random));
    let product_id = random.percent(38).then(|| world.wanted_product(random));
    let page = PAGES[random.weighted(&PAGE_WEIGHTS)];
    let latency = random.along(&LATENCIES);
    PageView {
        event_id,
        viewed_at,
        user_id,
        product_id,
        page,
        http_method: method(product_id.is_none(), page, random),
        status: if is_incident && random.percent(35) {
            503
        } else {
            STATUSES[random.weighted(&STATUS_WEIGHTS)]
        },
        latency_ms: hundredths(if is_incident { latency * 6.0 } else { latency }),
        client_ip: address(user_id, random),
        user_agent: AGENTS[random.weighted(&AGENT_WEIGHTS)],
    }
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn method(is_page: bool, page: &str, random: &mut Random) -> &'static str {
    let weights = match (is_page, page) {
        (true, "/cart" | "/checkout" | "/login") => [40, 45, 10, 4, 1],
        (true, "/api/v1/items" | "/api/v1/prices") => [78, 10, 6, 3, 3],
        _ => [975, 5, 0, 0, 20],
    };
    METHODS[random.weighted(&weights)]
}

/// An IPv4 address. Users keep theirs, from carriers' shared space (RFC 6598); visitors have any of
/// the addresses for benchmarks (RFC 2544).
fn address(user_id: Option<i64>, random: &mut Random) -> u32 {
    match user_id {
        Some(id) => 0x6440_0000 | ((id as u32).wrapping_mul(0x9e37_79b1) >> 10),
        None => 0xc612_0000 | random.below(1 << 17) as u32,
    }
}

fn address_text(address: u32) -> String {
    let [a, b, c, d] = address.to_be_bytes();
    format!("{a}.{b}.{c}.{d}")
}

/// Writes the file of a day.
pub(super) fn save(world: &World, lake: &Lake, day: Day) -> Result<Made> {
    let views = PageView::of_day(world, day);
    let rows = || views.iter();
    let schema = Schema::new(vec![
        field("event_id", DataType::Int64),
        field("viewed_at", timestamp()),
        field("user_id", DataType::Int64),
        field("path", DataType::Utf8),
        field("http_method", DataType::Utf8),
        field("status", DataType::Int32),
        field("latency_ms", DataType::Float64),
        field("client_ip", DataType::Utf8),
        field("user_agent", DataType::Utf8),
    ]);
    let columns = vec![
        longs(rows().map(|view| view.event_id)),
        instants(rows().map(|view| view.viewed_at)),
        longs(rows().map(|view| view.user_id)),
        texts::<String, _>(rows().map(PageView::path)),
        texts::<&str, _>(rows().map(|view| view.http_method)),
        integers(rows().map(|view| view.status)),
        doubles(rows().map(|view| view.latency_ms)),
        texts::<String, _>(rows().map(|view| address_text(view.client_ip))),
        texts::<&str, _>(rows().map(|view| view.user_agent)),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).map_err(Error::internal)?;
    let path = super::path_of_day("pageviews", day);
    lake.save_parquet(&path, day.at(23, 59), &batch, Layout::Groups(N_ROW_GROUPS))
}
