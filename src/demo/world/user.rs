//! A user, known by the id alone.

use super::countries::{COUNTRIES, Country};
use super::days::{Day, Moment};
use super::names::{self, FIRST_NAMES, LAST_NAMES};
use super::{Random, World};

const COUNTRY_WEIGHTS: [i64; COUNTRIES.len()] = {
    let mut weights = [0; COUNTRIES.len()];
    let mut place = 0;
    while place < weights.len() {
        weights[place] = COUNTRIES[place].weight;
        place += 1;
    }
    weights
};

/// A user of the shop, as signed up.
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) first_name: &'static str,
    pub(crate) last_name: &'static str,
    pub(crate) email: String,
    pub(crate) country: &'static Country,
    pub(crate) city: &'static str,
    pub(crate) tier: &'static str,
    pub(crate) signed_up_at: Moment,
    pub(crate) birth_year: Option<i64>,
    pub(crate) referrer_id: Option<i64>,
    /// Whether they want to be written to; asked since August 2026.
    pub(crate) marketing_consent: bool,
}

impl World {
    /// The user with this id.
    pub(crate) fn user(&self, id: i64) -> User {
        let mut random = self.random("users", id);
        let country = country(&mut random);
        let first_name = *random.pick(&FIRST_NAMES);
        let last_name = *random.pick(&LAST_NAMES);
        let mail = ["example.com", "example.org", "example.net"];
        User {
            id,
            first_name,
            last_name,
            email: format!(
                "{}.{}{id}@{}",
                names::plain(first_name),
                names::plain(last_name),
                mail[random.weighted(&[6, 3, 1])]
            ),
            country,
            city: random.pick::<&str>(country.cities),
            tier: ["free", "pro", "enterprise"][random.weighted(&[70, 25, 5])],
            signed_up_at: signed_up_at(self, id),
            birth_year: (!random.percent(12)).then(|| random.between(1945, 2008)),
            referrer_id: (id > 1 && random.percent(30)).then(|| random.between(1, id - 1)),
            marketing_consent: random.percent(45),
        }
    }

    /// The country of a user, without the rest.
    pub(crate) fn country_of(&self, user_id: i64) -> &'static Country {
        country(&mut self.random("users", user_id))
    }
}

/// The first number drawn for a user, so that it can be known without the others.
fn country(random: &mut Random) -> &'static Country {
    &COUNTRIES[random.weighted(&COUNTRY_WEIGHTS)]
}

/// Users who signed up before the lake's first day: four of five.
pub(super) fn n_users_at_start(world: &World) -> i64 {
    world.n_users * 4 / 5
}

/// Ids are given in the order of sign-up.
fn signed_up_at(world: &World, id: i64) -> Moment {
    let n_before = n_users_at_start(world);
    let (start, end, place, n_places) = if id <= n_before {
        (Day::new(2023, 1, 1), Day::FIRST, id - 1, n_before)
    } else {
        let n_since = world.n_users - n_before;
        (Day::FIRST, Day::LAST.plus(1), id - 1 - n_before, n_since)
    };
    let seconds = i64::from(end.0 - start.0) * 86_400;
    start.at(0, 0).plus_seconds(seconds * place / n_places)
}
