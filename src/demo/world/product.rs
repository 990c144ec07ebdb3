//! A product, known by the id alone.

use super::World;
use super::names::{PRODUCT_ADJECTIVES, SUPPLIERS};

/// What there is, the nouns of its names, and its tags.
pub(crate) const CATEGORIES: [(&str, [&str; 4], [&str; 4]); 8] = [
    (
        "coffee",
        ["Espresso", "Roast", "Decaf", "Filter Blend"],
        ["fairtrade", "arabica", "whole-bean", "dark"],
    ),
    (
        "tea",
        ["Sencha", "Earl Grey", "Assam", "Rooibos"],
        ["organic", "loose-leaf", "green", "black"],
    ),
    (
        "kitchen",
        ["Kettle", "Grinder", "Scale", "Pot"],
        ["steel", "electric", "dishwasher-safe", "gift"],
    ),
    (
        "books",
        ["Atlas", "Cookbook", "Handbook", "Reader"],
        ["hardcover", "illustrated", "paperback", "signed"],
    ),
    (
        "garden",
        ["Shears", "Planter", "Seeds", "Trowel"],
        ["outdoor", "wood", "perennial", "tools"],
    ),
    (
        "office",
        ["Notebook", "Pen", "Lamp", "Desk Mat"],
        ["recycled", "led", "A5", "set"],
    ),
    (
        "sports",
        ["Bottle", "Mat", "Rope", "Headband"],
        ["light", "travel", "yoga", "running"],
    ),
    (
        "toys",
        ["Puzzle", "Kite", "Blocks", "Marble Run"],
        ["wood", "3+", "family", "plastic-free"],
    ),
];

/// A product of the shop, as first offered.
pub(crate) struct Product {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) category: &'static str,
    pub(crate) price_cents: i64,
    pub(crate) tags: Vec<&'static str>,
    /// Width and height in tenths of a centimetre.
    pub(crate) width: i64,
    pub(crate) height: i64,
    pub(crate) weight_grams: i64,
    pub(crate) supplier: &'static str,
    pub(crate) supplier_country: &'static str,
}

impl World {
    /// The product with this id. Every eighth is of the same category.
    pub(crate) fn product(&self, id: i64) -> Product {
        let mut random = self.random("products", id);
        let (category, nouns, tags) = &CATEGORIES[id as usize % CATEGORIES.len()];
        let price = random.along(&[
            (0.0, 290.0),
            (0.5, 1_900.0),
            (0.9, 7_900.0),
            (1.0, 24_900.0),
        ]);
        let (supplier, supplier_country) = *random.pick(&SUPPLIERS);
        let first_tag = random.below(4) as usize;
        let n_tags = random.between(0, 3) as usize;
        Product {
            id,
            name: format!(
                "{} {} No. {id}",
                random.pick(&PRODUCT_ADJECTIVES),
                random.pick(nouns)
            ),
            category,
            price_cents: price as i64 / 10 * 10 + 9,
            tags: (0..n_tags)
                .map(|place| tags[(first_tag + place) % 4])
                .collect(),
            width: random.between(30, 600),
            height: random.between(20, 900),
            weight_grams: random.between(40, 4_500),
            supplier,
            supplier_country,
        }
    }

    /// One of the products' ids, the lower ones more often.
    pub(crate) fn wanted_product(&self, random: &mut super::Random) -> i64 {
        let place = random.unit();
        1 + (place * place * self.n_products as f64) as i64
    }
}
