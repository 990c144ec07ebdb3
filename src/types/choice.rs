//! The type that values meet in which are chosen from: branches of CASE, arguments of COALESCE,
//! columns of UNION. <https://www.postgresql.org/docs/16/typeconv-union-case.html>

use super::oid;

/// Types that turn into others wherever those are wanted: rows of `pg_cast` whose `castcontext` is
/// `i`, as far as the types have values here.
const IMPLICIT: &[(u32, u32)] = &[
    (oid::NAME, oid::TEXT),
    (oid::TEXT, oid::NAME),
    (oid::VARCHAR, oid::NAME),
    (oid::BPCHAR, oid::NAME),
    (oid::CHAR, oid::TEXT),
    (oid::VARCHAR, oid::TEXT),
    (oid::TEXT, oid::VARCHAR),
    (oid::BPCHAR, oid::TEXT),
    (oid::TEXT, oid::BPCHAR),
    (oid::BPCHAR, oid::VARCHAR),
    (oid::VARCHAR, oid::BPCHAR),
    (oid::INT2, oid::OID),
    (oid::INT4, oid::OID),
    (oid::INT8, oid::OID),
    (oid::INT2, oid::REGCLASS),
    (oid::INT4, oid::REGCLASS),
    (oid::INT8, oid::REGCLASS),
    (oid::REGCLASS, oid::OID),
    (oid::OID, oid::REGCLASS),
    (oid::REGTYPE, oid::OID),
    (oid::OID, oid::REGTYPE),
    (oid::REGPROC, oid::OID),
    (oid::OID, oid::REGPROC),
    (oid::REGROLE, oid::OID),
    (oid::OID, oid::REGROLE),
    (oid::REGNAMESPACE, oid::OID),
    (oid::OID, oid::REGNAMESPACE),
];

/// Preferred types of their categories (`typispreferred`), among those of [`IMPLICIT`].
const PREFERRED: &[u32] = &[oid::TEXT, oid::OID];

fn turns_into(from: u32, to: u32) -> bool {
    IMPLICIT.contains(&(from, to))
}

/// The type of a choice among values of these types, in their order; `None` stands for a literal
/// that has no type yet. `None` if there is no such type, or if it is found among types of which
/// nothing is known here. As `select_common_type` in parse_coerce.c.
pub fn common_type(types: &[Option<u32>]) -> Option<u32> {
    let mut known = types.iter().flatten().copied();
    let mut common = known.next()?;
    for next in known.filter(|next| *next != oid::UNKNOWN) {
        let is_preferred = PREFERRED.contains(&common);
        if next != common && !is_preferred && turns_into(common, next) && !turns_into(next, common)
        {
            common = next;
        }
    }
    let all_turn = types.iter().flatten();
    let mut all_turn = all_turn.map(|of| *of == common || turns_into(*of, common));
    all_turn.all(|turns| turns).then_some(common)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meets_where_postgres_meets() {
        let of = |types: &[u32]| {
            let types: Vec<Option<u32>> = types.iter().copied().map(Some).collect();
            common_type(&types)
        };
        assert_eq!(of(&[oid::NAME, oid::TEXT]), Some(oid::NAME));
        assert_eq!(of(&[oid::TEXT, oid::NAME]), Some(oid::TEXT));
        assert_eq!(of(&[oid::CHAR, oid::TEXT]), Some(oid::TEXT));
        assert_eq!(of(&[oid::VARCHAR, oid::TEXT]), Some(oid::VARCHAR));
        assert_eq!(of(&[oid::INT4, oid::OID]), Some(oid::OID));
        assert_eq!(of(&[oid::CHAR, oid::INT4]), None);
        assert_eq!(common_type(&[None, Some(oid::CHAR)]), Some(oid::CHAR));
        assert_eq!(common_type(&[None, None]), None);
    }
}
