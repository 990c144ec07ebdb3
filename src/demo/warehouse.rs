//! The warehouse: a SQLite file with companies, their licenses and how they use them, in three layers.
//!
//! `staging_` tables hold texts as another system sent them, `core_` the same with types and keys,
//! `mart_` what reports read. The later layers are made of the earlier ones, by SQL.

use rusqlite::{Connection, params};

use super::files::{Lake, Made};
use super::schedule::Task;
use super::world::{COUNTRIES, Day, World};
use crate::error::{Error, Result};

/// The file, below the lake.
pub(super) const WAREHOUSE: &str = "warehouse.db";

const PRODUCTS: [(&str, i64); 4] = [
    ("Reader", 900),
    ("Analyst", 2_900),
    ("Builder", 5_900),
    ("Everything", 9_900),
];
const SUFFIXES: [&str; 5] = ["AG", "GmbH", "Ltd", "SARL", "Inc"];
const LICENSES_MAX: i64 = 4;
const SEATS_MAX: i64 = 80;

const STAGING: &str = "
create table staging_companies (company_id text, name text, country text, industry text);
create table staging_licenses (license_id text, company_id text, product text, seats text,
    price text, valid_from text, valid_to text);
create table staging_usage (license_id text, day text, active_users text, requests text);
";

const CORE_AND_MART: &str = "
create table core_companies (
    id integer primary key, name text not null, country text, industry text);
create table core_licenses (
    id integer primary key, company_id integer not null references core_companies (id),
    product text not null, seats integer not null, price numeric(10, 2) not null,
    valid_from date not null, valid_to date);
create table core_usage (
    license_id integer not null references core_licenses (id), day date not null,
    active_users integer not null, requests bigint not null, primary key (license_id, day));
insert into core_companies
    select cast(company_id as integer), name, nullif(country, ''), industry from staging_companies;
insert into core_licenses
    select cast(license_id as integer), cast(company_id as integer), product,
        cast(seats as integer), cast(price as numeric), valid_from, nullif(valid_to, '')
    from staging_licenses;
insert into core_usage
    select cast(license_id as integer), day, cast(active_users as integer),
        cast(requests as integer)
    from staging_usage;
create table mart_usage (
    company text not null, country text, product text not null, month text not null,
    seats integer not null, active_users_max integer not null, requests bigint not null,
    primary key (company, product, month));
insert into mart_usage
    select c.name, c.country, l.product, substr(u.day, 1, 7), max(l.seats), max(u.active_users),
        sum(u.requests)
    from core_usage u
    join core_licenses l on l.id = u.license_id
    join core_companies c on c.id = l.company_id
    group by c.name, c.country, l.product, substr(u.day, 1, 7)
    order by 1, 3, 4;
create view mart_licenses as
    select c.name as company, l.product, l.seats, l.price * l.seats as monthly_price,
        l.valid_from, l.valid_to
    from core_licenses l join core_companies c on c.id = l.company_id;
";

/// Everything that makes the warehouse.
pub(super) fn tasks<'a>(world: &'a World, lake: &'a Lake) -> Vec<Task<'a>> {
    vec![Task::new(WAREHOUSE, 2, || warehouse(world, lake))]
}

fn warehouse(world: &World, lake: &Lake) -> Result<Made> {
    let filled = || -> rusqlite::Result<(Vec<u8>, u64)> {
        let mut connection = Connection::open_in_memory()?;
        connection.execute_batch(STAGING)?;
        let n_rows = fill(&mut connection, world)?;
        connection.execute_batch(CORE_AND_MART)?;
        // Without the pages that the making left empty.
        connection.execute_batch("vacuum")?;
        Ok((connection.serialize("main")?.to_vec(), n_rows))
    };
    let (bytes, n_rows) = filled().map_err(Error::internal)?;
    let modified = Day::LAST.at(5, 0);
    lake.save(WAREHOUSE, modified, n_rows, |writer| {
        std::io::Write::write_all(writer, &bytes)
    })
}

/// Fills the staging tables; how many rows they have.
fn fill(connection: &mut Connection, world: &World) -> rusqlite::Result<u64> {
    let rows = connection.transaction()?;
    let mut company = rows.prepare("insert into staging_companies values (?1, ?2, ?3, ?4)")?;
    let mut license =
        rows.prepare("insert into staging_licenses values (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    let mut usage = rows.prepare("insert into staging_usage values (?1, ?2, ?3, ?4)")?;
    let n_companies = (world.n_customers / 100).clamp(8, 200);
    let (mut n_rows, mut license_id) = (0, 0);
    for company_id in 1..=n_companies {
        let mut random = world.random("warehouse", company_id);
        let country = random.pick(&COUNTRIES);
        let city = random.pick(country.cities);
        let name = format!("{city} {company_id} {}", random.pick(&SUFFIXES));
        let industry = *random.pick(&["retail", "energy", "health", "software", "logistics"]);
        // Some did not say where they are.
        let code = if random.percent(5) { "" } else { country.code };
        company.execute(params![company_id.to_string(), name, code, industry])?;
        n_rows += 1;
        for place in 0..random.between(1, LICENSES_MAX) {
            license_id += 1;
            let (product, cents) = PRODUCTS[place as usize];
            let seats = random.between(1, SEATS_MAX);
            let start = Day::FIRST.plus(random.between(0, 60) as i32);
            let end = random
                .percent(20)
                .then(|| start.plus(random.between(30, 100) as i32));
            let last = end.map_or(
                Day::LAST,
                |end| if end.0 < Day::LAST.0 { end } else { Day::LAST },
            );
            license.execute(params![
                license_id.to_string(),
                company_id.to_string(),
                product,
                seats.to_string(),
                format!("{}.{:02}", cents / 100, cents % 100),
                start.to_string(),
                end.map_or(String::new(), |end| end.to_string()),
            ])?;
            n_rows += 1;
            for day in start.to(last) {
                // Nobody works at weekends.
                if day.weekday() >= 5 {
                    continue;
                }
                let active_users = random.between(0, seats);
                let requests = active_users * random.between(1, 40);
                usage.execute(params![
                    license_id.to_string(),
                    day.to_string(),
                    active_users.to_string(),
                    requests.to_string(),
                ])?;
                n_rows += 1;
            }
        }
    }
    drop((company, license, usage));
    rows.commit()?;
    Ok(n_rows)
}
