//! Dates, times, intervals and bytes in every style of a session: random values, written and read
//! by PostgreSQL and by the gateway alike.

use std::net::SocketAddr;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::gateway::{Gateway, postgres};
use crate::wire::Wire;

/// Statements of one run; each has some twenty values.
const N_STATEMENTS: usize = 120;

const ZONES: &[&str] = &["UTC", "Europe/Berlin", "America/Caracas", "Asia/Kolkata"];
const DATES: &[&str] = &["ISO", "SQL", "Postgres", "German"];
const ORDERS: &[&str] = &["MDY", "DMY", "YMD"];
const INTERVALS: &[&str] = &["postgres", "postgres_verbose", "sql_standard", "iso_8601"];

fn settings(random: &mut StdRng) -> String {
    let mut any = |of: &[&'static str]| *of.choose(random).expect("it is not empty");
    format!(
        "set datestyle = {}, {}; set intervalstyle = {}; set bytea_output = {}; set timezone = '{}'",
        any(DATES),
        any(ORDERS),
        any(INTERVALS),
        any(&["hex", "escape"]),
        any(ZONES),
    )
}

/// A date as ISO writes it, some of them before Christ.
fn date(random: &mut StdRng) -> String {
    let year = match random.random_range(0..4) {
        // Behind the year 2099 zones have no summer time here.
        0 => random.random_range(1..2099),
        _ => random.random_range(1960..2036),
    };
    let era = if random.random_bool(0.05) { " BC" } else { "" };
    let (month, day) = (random.random_range(1..13), random.random_range(1..29));
    format!("{year:04}-{month:02}-{day:02}{era}")
}

fn time(random: &mut StdRng) -> String {
    let (hour, minute) = (random.random_range(0..24), random.random_range(0..60));
    let second = random.random_range(0..60);
    match random.random_range(0..3) {
        0 => format!("{hour:02}:{minute:02}:{second:02}"),
        1 => {
            let millis = random.random_range(0..1000);
            format!("{hour:02}:{minute:02}:{second:02}.{millis:03}")
        }
        _ => {
            let micros = random.random_range(0..1_000_000);
            format!("{hour:02}:{minute:02}:{second:02}.{micros:06}")
        }
    }
}

fn moment(random: &mut StdRng) -> String {
    let (date, time) = (date(random), time(random));
    match date.strip_suffix(" BC") {
        Some(date) => format!("{date} {time} BC"),
        None => format!("{date} {time}"),
    }
}

fn interval(random: &mut StdRng) -> String {
    let mut count = |most: i64| match random.random_range(0..3) {
        0 => 0,
        _ => random.random_range(-most..=most),
    };
    format!(
        "{} months {} days {} seconds {} microseconds",
        count(40),
        count(60),
        count(200_000),
        count(2_000_000)
    )
}

fn bytes(random: &mut StdRng) -> String {
    let n_bytes = random.random_range(0..12);
    (0..n_bytes)
        .map(|_| format!("{:02x}", random.random::<u8>()))
        .collect()
}

/// A select list of values as they are, as text, and in arrays.
fn query(random: &mut StdRng) -> String {
    let mut values = Vec::new();
    for _ in 0..4 {
        let (date, moment, interval) = (date(random), moment(random), interval(random));
        values.extend([
            format!("date '{date}'"),
            format!("timestamp '{moment}'"),
            format!("timestamptz '{moment}'"),
            format!("interval '{interval}'"),
            format!("'\\x{}'::bytea", bytes(random)),
            format!("timestamptz '{moment}'::text"),
            format!("array[date '{date}']"),
            format!("array[interval '{interval}']::text"),
        ]);
    }
    format!("select {}", values.join(", "))
}

/// A date in some spelling, which one order reads and another may refuse.
fn spelled(random: &mut StdRng) -> String {
    let (year, month, day): (i32, i32, i32) = (
        random.random_range(1950..2040),
        random.random_range(1..14),
        random.random_range(1..33),
    );
    let name = ["jan", "February", "Mar", "sept", "DEC"]
        .choose(random)
        .expect("it is not empty");
    let short = year % 100;
    let time = time(random);
    match random.random_range(0..14) {
        0 => format!("{month}/{day}/{year}"),
        1 => format!("{month:02}/{day:02}/{short:02}"),
        2 => format!("{day:02}.{month:02}.{year}"),
        3 => format!("{short:02}-{month:02}-{day:02}"),
        4 => format!("{name} {day}, {year}"),
        5 => format!("{day}-{name}-{year}"),
        6 => format!("{day} {name} {short:02}"),
        7 => format!("{year}{month:02}{day:02}"),
        8 => format!("{year}-{month}-{day} {time} PM"),
        9 => format!("Wed {name} {day:02} {time} {year} CET"),
        10 => format!("{year}.{:03}", random.random_range(0..400)),
        11 => format!("{year}-{month:02}-{day:02}T{time}+05:30"),
        12 => format!("{day}/{month}/{year} {time} America/New_York"),
        _ => format!("{short:02}-{name}-{day:02}"),
    }
}

/// What a statement answers: its rows, or the code, message and hint of its error.
fn answer(wire: &mut Wire, sql: &str) -> String {
    match wire.query(sql) {
        Ok(answers) => format!("{:?}", answers.last().map(|answer| &answer.rows)),
        Err(report) => {
            let (code, message) = (report.code(), report.message());
            format!("{code} {message} {}", report.field('H'))
        }
    }
}

fn check(peers: &mut [Wire; 2], sql: &str, under: &str, seed: u64) {
    let [theirs, ours] = peers.each_mut().map(|wire| answer(wire, sql));
    assert_eq!(ours, theirs, "seed {seed}: {under}; {sql}");
}

fn connected(gateway: &Gateway) -> [Wire; 2] {
    let addresses: [SocketAddr; 2] = [postgres(), gateway.address()];
    addresses.map(Wire::connect)
}

#[test]
fn values_are_written_in_every_style() {
    let gateway = Gateway::of_test_lake();
    let mut peers = connected(&gateway);
    let seed: u64 = rand::random();
    let random = &mut StdRng::seed_from_u64(seed);
    for _ in 0..N_STATEMENTS {
        let under = settings(random);
        check(&mut peers, &under, "", seed);
        check(&mut peers, &query(random), &under, seed);
    }
}

#[test]
fn dates_are_read_in_every_order() {
    let gateway = Gateway::of_test_lake();
    let mut peers = connected(&gateway);
    let seed: u64 = rand::random();
    let random = &mut StdRng::seed_from_u64(seed);
    for _ in 0..N_STATEMENTS {
        let under = settings(random);
        check(&mut peers, &under, "", seed);
        for _ in 0..8 {
            let text = spelled(random);
            for name in ["date", "timestamp", "timestamptz", "time"] {
                let sql = format!("select '{text}'::{name}");
                check(&mut peers, &sql, &under, seed);
            }
        }
    }
}
