//! The functions of schema `lakegate` in FROM: `versions()`, a system relation; `history(t)`, `files(t)`,
//! `schema_history(t)`, `check_keys(t)` and `freshness(v)`, which are relations of their own; and `changes(t, from, to)` and
//! `diff(v, from, to, key)`, which are queries over one relation at two moments.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, ObjectNamePart, Query,
    Select, SelectItem, SetExpr, TableFactor, TableFunctionArgs, TableVersion, Value, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::rows::WHOLE_ROW;
use crate::catalog::system::LAKEGATE;
use crate::engine::checked_keys::CHECK_KEYS;
use crate::engine::freshness::FRESHNESS;
use crate::engine::output_name::fold;
use crate::engine::walk::walk_mut;
use crate::error::{Error, ErrorKind, Result};
use crate::sources::Told;

/// The rows that are in one and not in the other, counted as EXCEPT ALL counts them.
const CHANGES: &str = "
    SELECT 'delete' AS _change_type, d.*
    FROM (SELECT * FROM was EXCEPT ALL SELECT * FROM becomes) AS d
    UNION ALL
    SELECT 'insert' AS _change_type, i.*
    FROM (SELECT * FROM becomes EXCEPT ALL SELECT * FROM was) AS i";

/// The same, with rows of equal keys as one change. Keys that occur several times are matched in
/// their order: none is lost.
const DIFF: &str = "
    SELECT COALESCE(o.key, n.key) AS key, CAST(o.whole AS jsonb) AS old,
      CAST(n.whole AS jsonb) AS new,
      CASE WHEN o.whole IS NULL THEN 'insert' WHEN n.whole IS NULL THEN 'delete' ELSE 'update' END
        AS change
    FROM (SELECT CAST(key AS text) AS key, CAST(whole AS text) AS whole,
            row_number() OVER (PARTITION BY CAST(key AS text) ORDER BY CAST(whole AS text)) AS place
          FROM (SELECT whole_row_of(d) AS whole, key_of AS key
                FROM (SELECT * FROM was EXCEPT ALL SELECT * FROM becomes) AS d) AS k) AS o
    FULL JOIN (SELECT CAST(key AS text) AS key, CAST(whole AS text) AS whole,
            row_number() OVER (PARTITION BY CAST(key AS text) ORDER BY CAST(whole AS text)) AS place
          FROM (SELECT whole_row_of(d) AS whole, key_of AS key
                FROM (SELECT * FROM becomes EXCEPT ALL SELECT * FROM was) AS d) AS k) AS n
      ON o.key = n.key AND o.place = n.place";

/// What a function of the schema is.
pub(super) enum Call {
    /// A relation of its own, told of another.
    Told(Box<TableVersion>),
    /// A query in its place.
    Query(Box<Query>),
    /// The system relation of its name.
    Relation,
}

/// The functions, by their names.
const NAMES: &[&str] = &[
    "changes",
    CHECK_KEYS,
    "diff",
    "files",
    FRESHNESS,
    "history",
    "schema_history",
    "versions",
];

/// Makes `SELECT lakegate.versions()`, and its kind, a query over what the function gives: all of its columns.
pub(super) fn into_from(select: &mut Select) -> Result<()> {
    let [SelectItem::UnnamedExpr(Expr::Function(called))] = select.projection.as_slice() else {
        return Ok(());
    };
    let [
        ObjectNamePart::Identifier(schema),
        ObjectNamePart::Identifier(function),
    ] = called.name.0.as_slice()
    else {
        return Ok(());
    };
    let is_one = fold(schema) == LAKEGATE && NAMES.contains(&fold(function).as_str());
    let FunctionArguments::List(given) = &called.args else {
        return Ok(());
    };
    if !is_one || !select.from.is_empty() {
        return Ok(());
    }
    let mut over = parsed("SELECT * FROM f()")?;
    let SetExpr::Select(over) = over.body.as_mut() else {
        return Ok(());
    };
    for tables in &mut over.from {
        if let TableFactor::Table { name, args, .. } = &mut tables.relation {
            name.clone_from(&called.name);
            let args = args.get_or_insert_with(|| TableFunctionArgs {
                args: Vec::new(),
                settings: None,
            });
            args.args.clone_from(&given.args);
        }
    }
    select.projection = std::mem::take(&mut over.projection);
    select.from = std::mem::take(&mut over.from);
    Ok(())
}

/// A query of our own.
pub(super) fn parsed(text: &str) -> Result<Box<Query>> {
    let dialect = PostgreSqlDialect {};
    Parser::new(&dialect)
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_query())
        .map_err(Error::internal)
}

/// What is told by a function of this name.
pub(super) fn told(name: &str) -> Option<Told> {
    match name {
        "files" => Some(Told::Files),
        "history" => Some(Told::History),
        "schema_history" => Some(Told::SchemaHistory),
        _ => None,
    }
}

/// The function that a name with arguments calls, if it is one of these. `rename` marks the relations that
/// are named in its query.
///
/// # Errors
/// `UndefinedFunction`: it is not called as it can be.
pub(super) fn call(
    name: &ObjectName,
    args: &TableFunctionArgs,
    rename: &mut impl FnMut(&mut ObjectName, TableVersion),
) -> Result<Option<Call>> {
    let [
        ObjectNamePart::Identifier(schema),
        ObjectNamePart::Identifier(function),
    ] = name.0.as_slice()
    else {
        return Ok(None);
    };
    let function = fold(function);
    if fold(schema) != LAKEGATE {
        return Ok(None);
    }
    let Some(given) = args
        .args
        .iter()
        .map(positional)
        .collect::<Option<Vec<&Expr>>>()
    else {
        return Ok(None);
    };
    match (function.as_str(), given.as_slice()) {
        ("versions", []) => Ok(Some(Call::Relation)),
        (name, [of]) if told(name).is_some() || [CHECK_KEYS, FRESHNESS].contains(&name) => {
            Ok(Some(Call::Told(Box::new(called(name, of)))))
        }
        ("changes", [relation, from, to]) => {
            let query = compared(CHANGES, relation, (from, to), None, rename)?;
            Ok(Some(Call::Query(query)))
        }
        ("diff", [relation, from, to]) => {
            let query = compared(DIFF, relation, (from, to), None, rename)?;
            Ok(Some(Call::Query(query)))
        }
        ("diff", [relation, from, to, key]) => {
            let query = compared(DIFF, relation, (from, to), Some(key), rename)?;
            Ok(Some(Call::Query(query)))
        }
        (
            name @ (CHECK_KEYS | FRESHNESS | "files" | "history" | "schema_history" | "changes"
            | "diff"),
            _,
        ) => {
            let message = format!("function lakegate.{name} does not take these arguments");
            Err(Error::new(ErrorKind::UndefinedFunction, message))
        }
        _ => Ok(None),
    }
}

/// A call of a function, as a moment of the relation of its rows: no function that is computed.
fn called(name: &str, argument: &Expr) -> TableVersion {
    let name = Value::SingleQuotedString(name.to_owned());
    let name = Expr::Value(name.with_empty_span());
    TableVersion::Function(Expr::Tuple(vec![name, argument.clone()]))
}

/// The name and the argument of what [`called`] made.
pub(in crate::engine) fn function_of(version: &TableVersion) -> Option<(&str, &Expr)> {
    let TableVersion::Function(Expr::Tuple(parts)) = version else {
        return None;
    };
    match parts.as_slice() {
        [Expr::Value(name), argument] => match &name.value {
            Value::SingleQuotedString(name) => Some((name, argument)),
            _ => None,
        },
        _ => None,
    }
}

fn positional(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value),
        _ => None,
    }
}

/// The query of a comparison, over the relation that a text names.
fn compared(
    template: &str,
    relation: &Expr,
    (from, to): (&Expr, &Expr),
    key: Option<&Expr>,
    rename: &mut impl FnMut(&mut ObjectName, TableVersion),
) -> Result<Box<Query>> {
    let relation = named(&text_of(relation, "a relation")?)?;
    let key = match key {
        None => "CAST(NULL AS text)".to_owned(),
        Some(key) => key_of(&text_of(key, "a key")?)?,
    };
    let template = template
        .replace("key_of", &key)
        .replace("whole_row_of", &format!("\"{WHOLE_ROW}\""));
    let mut query = parsed(&template)?;
    let mut sides = Sides {
        relation,
        from,
        to,
        rename,
    };
    let _: ControlFlow<()> = walk_mut(&mut query, &mut sides);
    Ok(query)
}

/// The columns of a key, as a list of their names.
fn key_of(names: &str) -> Result<String> {
    let columns = names.split(',').map(|name| named(name.trim()));
    let columns: Vec<String> = columns
        .map(|column| Ok(format!("d.{}", column?)))
        .collect::<Result<_>>()?;
    Ok(match columns.as_slice() {
        [column] => format!("CAST({column} AS text)"),
        columns => {
            let texts = columns
                .iter()
                .map(|column| format!("CAST({column} AS text)"));
            let texts: Vec<String> = texts.collect();
            format!("CAST(jsonb_build_array({}) AS text)", texts.join(", "))
        }
    })
}

/// The relation that is named by the argument of a function.
pub(in crate::engine) fn argument(value: &Expr, what: &str) -> Result<ObjectName> {
    named(&text_of(value, what)?)
}

/// A text that stands in the statement: what it names is looked up before anything is computed.
fn text_of(value: &Expr, what: &str) -> Result<String> {
    let plain = match value {
        Expr::Cast { expr, .. } => expr.as_ref(),
        other => other,
    };
    match plain {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => return Ok(text.clone()),
            _ => Err(()),
        },
        _ => Err(()),
    }
    .map_err(|()| Error::unsupported(format!("{what} that is named by anything but a literal")))
}

/// A name as SQL writes it.
fn named(text: &str) -> Result<ObjectName> {
    let invalid = || {
        let message = format!("invalid name syntax: \"{text}\"");
        Error::new(ErrorKind::InvalidParameterValue, message)
    };
    let dialect = PostgreSqlDialect {};
    let parser = Parser::new(&dialect).try_with_sql(text);
    let mut parser = parser.map_err(|_| invalid())?;
    let name = parser.parse_object_name(false).map_err(|_| invalid())?;
    let is_plain = name.0.iter().all(|part| part.as_ident().is_some());
    match parser.peek_token().token {
        datafusion::sql::sqlparser::tokenizer::Token::EOF if is_plain => Ok(name),
        _ => Err(invalid()),
    }
}

/// Puts the relation at both moments in the place of the template's tables.
struct Sides<'a, F> {
    relation: ObjectName,
    from: &'a Expr,
    to: &'a Expr,
    rename: &'a mut F,
}

impl<F: FnMut(&mut ObjectName, TableVersion)> VisitorMut for Sides<'_, F> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name, version, .. } = factor else {
            return ControlFlow::Continue(());
        };
        let moment = match name.to_string().as_str() {
            "was" => self.from,
            "becomes" => self.to,
            _ => return ControlFlow::Continue(()),
        };
        // A version or an instant: its type says which.
        let moment = TableVersion::ForSystemTimeAsOf(moment.clone());
        *name = self.relation.clone();
        (self.rename)(name, moment.clone());
        *version = Some(moment);
        ControlFlow::Continue(())
    }
}
