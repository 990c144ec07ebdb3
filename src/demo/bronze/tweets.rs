//! Short messages about the shop as JSON lines, nested as their sender nests them.

use super::super::files::{Lake, Made, Object, array};
use super::super::world::{Country, Day, Moment, Random, World};
use crate::error::Result;

/// Ids are larger than what a double holds exactly.
const ID_FIRST: i64 = 1_918_000_000_000_000_000;
const ID_STEP: i64 = 4_194_304_000;

const LANGUAGES: [&str; 5] = ["en", "de", "fr", "es", "ja"];
const LANGUAGE_WEIGHTS: [i64; 5] = [50, 22, 12, 10, 6];
/// What is said, by language.
const SENTENCES: [[&str; 4]; 5] = [
    [
        "Loving my new order",
        "Delivery was two days late again 😕",
        "Best present ever, thank you!",
        "Is anyone else seeing errors on the site?",
    ],
    [
        "Schöne Überraschung heute im Briefkasten",
        "Die Lieferung läßt auf sich warten …",
        "Großartig, gerne wieder!",
        "Weiß jemand, wann es Nachschub gibt?",
    ],
    [
        "Très content de ma commande",
        "Où est mon colis ?",
        "Un café à tomber ☕",
        "Le site est en panne, non ?",
    ],
    [
        "¡Qué buen café!",
        "Mi pedido llegó mañana y no hoy 😅",
        "Recomendado al 100 %",
        "¿Alguien sabe si hay descuento?",
    ],
    [
        "新しいお茶が届きました 🍵",
        "配達が遅い…",
        "とても美味しい",
        "また買います",
    ],
];
const HASHTAGS: [&str; 12] = [
    "coffee",
    "tea",
    "kaffee",
    "café",
    "lakegate",
    "homeoffice",
    "garden",
    "gift",
    "sale",
    "brewing",
    "お茶",
    "fail",
];

pub(super) fn save(world: &World, lake: &Lake) -> Result<Made> {
    let lines = (0..world.n_tweets as usize).map(|place| line(world, place as i64));
    lake.save_lines("bronze/tweets.jsonl", Day::LAST.at(23, 50), lines)
}

fn line(world: &World, place: i64) -> String {
    let mut random = world.random("tweets", place);
    let seconds = Day::COUNT as i64 * 86_400 * place / world.n_tweets;
    let created_at = Day::FIRST.at(0, 0).plus_seconds(seconds);
    let language = random.weighted(&LANGUAGE_WEIGHTS);
    let (text, hashtags) = text(SENTENCES[language], &mut random);
    let entities = Object::new().raw("hashtags", array(hashtags)).end();
    let user_id = world.visitor(created_at.day(), &mut random);
    let followers = random.along(&[(0.0, 0.0), (0.6, 300.0), (0.95, 4_000.0), (1.0, 90_000.0)]);
    Object::new()
        .raw("id", ID_FIRST + place * ID_STEP + random.below(ID_STEP))
        .text("created_at", &created_at.to_string())
        .text("text", &text)
        .text("lang", LANGUAGES[language])
        .raw("user", author(world, user_id, followers as i64))
        .raw("entities", entities)
        .optional(
            "geo",
            random
                .percent(15)
                .then(|| place_of(world.country_of(user_id), &mut random)),
        )
        .raw("retweet_count", likes(created_at, &mut random) / 3)
        .raw("favorite_count", likes(created_at, &mut random))
        .end()
}

/// The text with its hashtags, and where they stand, counted in characters.
fn text(sentences: [&str; 4], random: &mut Random) -> (String, Vec<String>) {
    let mut text = (*random.pick(&sentences)).to_owned();
    let mut hashtags = Vec::new();
    let first = random.below(HASHTAGS.len() as i64) as usize;
    for place in 0..random.weighted(&[35, 35, 20, 10]) {
        let hashtag = HASHTAGS[(first + 5 * place) % HASHTAGS.len()];
        text.push(' ');
        let start = text.chars().count();
        text.push('#');
        text.push_str(hashtag);
        let indices = [start, text.chars().count()].map(|index| index.to_string());
        hashtags.push(
            Object::new()
                .text("text", hashtag)
                .raw("indices", array(indices))
                .end(),
        );
    }
    (text, hashtags)
}

fn author(world: &World, user_id: i64, followers: i64) -> String {
    let user = world.user(user_id);
    let mail_box = user.email.split('@').next().unwrap_or_default();
    let author = Object::new()
        .raw("id", user_id)
        .text("screen_name", &mail_box.replace('.', "_"))
        .raw("followers", followers);
    // Who does not say where they are, has no location.
    match user_id % 4 {
        0 => author.raw("location", "null").end(),
        _ => author.text("location", user.city).end(),
    }
}

fn place_of(country: &Country, random: &mut Random) -> String {
    let degrees = |hundredths: i64| {
        let sign = if hundredths < 0 { "-" } else { "" };
        let size = hundredths.abs();
        format!("{sign}{}.{:02}", size / 100, size % 100)
    };
    let coordinates =
        [country.latitude, country.longitude].map(|centre| degrees(centre + random.between(-9, 9)));
    let place = Object::new()
        .text("country_code", country.code)
        .text("city", country.cities[0])
        .end();
    Object::new()
        .text("type", "Point")
        .raw("coordinates", array(coordinates))
        .raw("place", place)
        .end()
}

/// More of them in the middle of a month, when the shop writes to its customers.
fn likes(created_at: Moment, random: &mut Random) -> i64 {
    let (_, _, day) = created_at.day().date();
    let factor = if (12..=16).contains(&day) { 2.0 } else { 1.0 };
    let likes = random.along(&[
        (0.0, 0.0),
        (0.5, 2.0),
        (0.9, 30.0),
        (0.99, 400.0),
        (1.0, 5_000.0),
    ]);
    (likes * factor) as i64
}
