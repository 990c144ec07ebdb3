//! The name that was perhaps meant, for the hint of an error about one that does not exist.

/// Letters that may be wrong: `MAX_FUZZY_DISTANCE` in parse_relation.c.
const DISTANCE_MAX: usize = 3;

/// More names than this, all equally near, tell nothing.
const NAMES_MAX: usize = 2;

/// The nearest of `names` to one that does not exist, as `updateFuzzyAttrMatchState` in
/// parse_relation.c finds them: no more than three letters away, and no more than half of them.
/// A name that is there, only elsewhere, is the nearest. None if there are more than two.
pub(super) fn nearest<T>(
    missing: &str,
    names: impl Iterator<Item = T>,
    name_of: impl Fn(&T) -> &str,
) -> Vec<T> {
    let mut best = DISTANCE_MAX.min(missing.chars().count() / 2);
    let mut found = Vec::new();
    for name in names {
        let candidate = name_of(&name).to_lowercase();
        // Far cheaper than to count the letters that differ.
        if candidate.len().abs_diff(missing.len()) > DISTANCE_MAX * 4 {
            continue;
        }
        let distance = strsim::levenshtein(&missing.to_lowercase(), &candidate);
        if distance < best {
            best = distance;
            found.clear();
        }
        if distance == best {
            found.push(name);
        }
    }
    match found.len() {
        ..=NAMES_MAX => found,
        _ => Vec::new(),
    }
}

/// `Perhaps you meant to reference the column "a.b" or the column "c.b".`
pub(super) fn hint(verb: &str, kind: &str, names: &[String]) -> Option<String> {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("the {kind} \"{name}\""))
        .collect();
    (!quoted.is_empty()).then(|| format!("Perhaps you meant {verb}{}.", quoted.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(missing: &str, names: &[&str], expected: &[&str]) {
        let found = nearest(missing, names.iter(), |name| name);
        let found: Vec<&str> = found.into_iter().copied().collect();
        assert_eq!(found, expected, "{missing}");
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        check("nam", &["name", "id", "amount"], &["name"]);
        check("lenght", &["length", "left", "lower"], &["length"]);
        check("Order_Id", &["order_id", "order_key"], &["order_id"]);
        check("x", &["y"], &[]);
        check("price", &["id", "amount"], &[]);
        check("colr", &["cola", "colb"], &["cola", "colb"]);
        check("colr", &["cola", "colb", "colc"], &[]);
        assert_eq!(
            hint("to reference ", "column", &["a.x".into(), "b.x".into()]).as_deref(),
            Some("Perhaps you meant to reference the column \"a.x\" or the column \"b.x\".")
        );
        assert_eq!(hint("", "relation", &[]), None);
    }
}
