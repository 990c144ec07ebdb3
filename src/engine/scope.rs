//! What names and wildcards mean inside of one query: the relations of its FROM, and what `*`
//! stands for among them.

use datafusion::common::TableReference;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, JoinConstraint, ObjectName, Select, SelectItem, SelectItemQualifiedWildcardKind,
    TableAlias, WildcardAdditionalOptions,
};

use super::bind::shown;
use super::merged::{Side, merged, merged_names};
use super::output_name::{fold, of};

/// The table reference that DataFusion makes of a name.
pub(super) fn reference(name: &ObjectName) -> Option<TableReference> {
    let parts: Option<Vec<String>> = name
        .0
        .iter()
        .map(|part| part.as_ident().map(fold))
        .collect();
    Some(match parts?.as_slice() {
        [table] => TableReference::bare(table.as_str()),
        [schema, table] => TableReference::partial(schema.as_str(), table.as_str()),
        [catalog, schema, table] => {
            TableReference::full(catalog.as_str(), schema.as_str(), table.as_str())
        }
        _ => return None,
    })
}

/// One relation of a FROM.
#[derive(Clone)]
pub(super) struct Item {
    /// How its columns are qualified; empty for one without a name.
    pub(super) qualifier: Vec<Ident>,
    /// `None` if not known here (functions).
    pub(super) columns: Option<Vec<String>>,
    /// The column that the relation's name stands for, if it gives values instead of rows.
    pub(super) value: Option<String>,
    /// The OID of the type of its rows, if they have one of their own.
    pub(super) row_type: Option<u32>,
    /// Whether an outer join may fill its columns with NULLs.
    pub(super) is_filled: bool,
}

/// What names mean inside of one query: the relations of its FROM and the names it gives.
#[derive(Default)]
pub(super) struct Scope {
    pub(super) items: Vec<Item>,
    pub(super) given: Vec<String>,
    /// Whether `*` leaves out or moves columns that a join merged.
    pub(super) merges: bool,
    /// The columns that joins merged, where they are not simply the left side's.
    pub(super) merged: Vec<Unfolded>,
    /// What `*` stands for; `None` if not all of it is known.
    pub(super) star: Option<Vec<Unfolded>>,
}

/// Whether a qualifier as written (`orders`, `silver.orders`) means an item of a FROM.
pub(super) fn matches_qualifier(item: &[Ident], written: &[Ident]) -> bool {
    written.len() <= item.len().max(1)
        && item
            .iter()
            .rev()
            .zip(written.iter().rev())
            .all(|(item, written)| fold(item) == fold(written))
        && (written.is_empty() || !item.is_empty())
}

pub(super) fn is_wildcard(item: &SelectItem) -> bool {
    matches!(
        item,
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
    )
}

/// What `*` stands for in a join: the merged columns first, in their order in USING or on the left
/// (manual, section 7.2.1.1), then the others of the left, then those of the right.
pub(super) fn joined(
    left: Vec<Unfolded>,
    right: Vec<Unfolded>,
    merging: Option<(&JoinConstraint, Side)>,
) -> Option<Vec<Unfolded>> {
    let Some((constraint, side)) = merging else {
        return Some(left.into_iter().chain(right).collect());
    };
    let names = merged_names(constraint, &left, &right)?;
    let is_merged = |column: &Unfolded| names.contains(&column.name);
    let mut columns = Vec::with_capacity(left.len() + right.len());
    for name in &names {
        let of = |columns: &[Unfolded]| columns.iter().find(|it| it.name == *name).cloned();
        columns.push(merged(&of(&left)?, &of(&right)?, side));
    }
    columns.extend(left.into_iter().filter(|column| !is_merged(column)));
    columns.extend(right.into_iter().filter(|column| !is_merged(column)));
    Some(columns)
}

/// A column that a wildcard stands for.
#[derive(Clone)]
pub(super) struct Unfolded {
    pub(super) name: String,
    pub(super) expression: Expr,
}

/// The columns a wildcard stands for; `None` if not all are known, or if it has options.
pub(super) fn unfold(item: &SelectItem, scope: &Scope) -> Option<Vec<Unfolded>> {
    let (qualifier, options): (Vec<Ident>, _) = match item {
        SelectItem::Wildcard(options) if is_plain(options) => return scope.star.clone(),
        SelectItem::QualifiedWildcard(
            SelectItemQualifiedWildcardKind::ObjectName(name),
            options,
        ) => {
            let qualifier = name
                .0
                .iter()
                .filter_map(|part| part.as_ident().cloned())
                .collect();
            (qualifier, options)
        }
        _ => return None,
    };
    if !is_plain(options) {
        return None;
    }
    let mut columns = Vec::new();
    for item in scope
        .items
        .iter()
        .filter(|item| matches_qualifier(&item.qualifier, &qualifier))
    {
        columns.extend(unfold_item(item)?);
    }
    Some(columns)
}

/// The columns of one relation, as expressions.
pub(super) fn unfold_item(item: &Item) -> Option<Vec<Unfolded>> {
    let columns = item.columns.as_ref()?.iter().map(|column| {
        let mut path = item.qualifier.clone();
        path.push(Ident::with_quote('"', column.clone()));
        Unfolded {
            name: shown(column).to_owned(),
            expression: Expr::CompoundIdentifier(path),
        }
    });
    Some(columns.collect())
}

fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    options.opt_ilike.is_none()
        && options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_alias.is_none()
}

/// The select list with its wildcards written out.
pub(super) fn expand(list: &[SelectItem], scope: &Scope) -> Vec<SelectItem> {
    list.iter()
        .flat_map(|item| match unfold(item, scope) {
            Some(columns) if is_wildcard(item) => columns
                .into_iter()
                .map(|column| SelectItem::UnnamedExpr(column.expression))
                .collect(),
            _ => vec![item.clone()],
        })
        .collect()
}

/// Column names after `AS alias (a, b)`.
pub(super) fn renamed(
    columns: Option<Vec<String>>,
    alias: Option<&TableAlias>,
) -> Option<Vec<String>> {
    let given: Vec<String> = alias
        .iter()
        .flat_map(|alias| &alias.columns)
        .map(|column| fold(&column.name))
        .collect();
    match columns {
        Some(mut columns) => {
            columns
                .iter_mut()
                .zip(given)
                .for_each(|(column, name)| *column = name);
            Some(columns)
        }
        None if given.is_empty() => None,
        None => Some(given),
    }
}

pub(super) fn given_names(select: &Select) -> Vec<String> {
    select
        .projection
        .iter()
        .filter_map(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(fold(alias)),
            SelectItem::UnnamedExpr(expression) => Some(of(expression)),
            _ => None,
        })
        .collect()
}

pub(super) fn plain_column(expression: &Expr) -> Option<&[Ident]> {
    match expression {
        Expr::Identifier(name) => Some(std::slice::from_ref(name)),
        Expr::CompoundIdentifier(parts) => Some(parts),
        _ => None,
    }
}
