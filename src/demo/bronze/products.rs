//! One JSON document a product, over several lines.

use std::io::Write;

use super::super::files::{Lake, Made, quoted};
use super::super::world::{Day, Product, World};
use crate::error::Result;

pub(super) fn save(world: &World, lake: &Lake) -> Result<Made> {
    let mut made = Made::default();
    for id in 1..=world.n_products {
        let text = document(&world.product(id));
        let path = format!("bronze/products/product-{id:04}.json");
        made += lake.save(&path, Day::FIRST.at(5, 0), 1, |file| {
            file.write_all(text.as_bytes())
        })?;
    }
    Ok(made)
}

fn document(product: &Product) -> String {
    let tags: Vec<String> = product.tags.iter().map(|tag| quoted(tag)).collect();
    format!(
        r#"{{
  "id": {},
  "name": {},
  "category": {},
  "price": {}.{:02},
  "tags": [{}],
  "dimensions": {{
    "width_cm": {}.{},
    "height_cm": {}.{},
    "weight_kg": {}.{:03}
  }},
  "supplier": {{
    "name": {},
    "country": {}
  }}
}}
"#,
        product.id,
        quoted(&product.name),
        quoted(product.category),
        product.price_cents / 100,
        product.price_cents % 100,
        tags.join(", "),
        product.width / 10,
        product.width % 10,
        product.height / 10,
        product.height % 10,
        product.weight_grams / 1_000,
        product.weight_grams % 1_000,
        quoted(product.supplier),
        quoted(product.supplier_country),
    )
}
