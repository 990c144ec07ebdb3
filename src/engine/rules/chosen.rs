//! What is chosen among values has the type that PostgreSQL finds for them. DataFusion finds one of
//! Arrow's, and forgets which of those PostgreSQL's it was: `name`, `"char"`, `varchar`, `oid` ...
//! <https://www.postgresql.org/docs/16/typeconv-union-case.html>

use std::cell::Cell;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Case, Cast, ScalarFunction};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Union};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::numbers::rewrite_expressions;
use crate::types::{self, MODIFIER_KEY, TYPE_KEY, common_type, oid};

/// Functions whose result is one of their arguments.
const CHOOSING: &[&str] = &["coalesce", "greatest", "least"];

/// Runs before type coercion, which then has nothing left to do for these types.
#[derive(Debug)]
pub(super) struct Chosen;

impl AnalyzerRule for Chosen {
    fn name(&self) -> &'static str {
        "postgres_chosen"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let is_retyped = Cell::new(false);
        let rewrite = |expression: Expr, schema: &DFSchema| {
            let rewritten = of_expression(expression, schema);
            is_retyped.set(is_retyped.get() || rewritten.transformed);
            Ok(rewritten)
        };
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            let plan = rewrite_expressions(plan, &rewrite)?;
            // Those above must learn what was found below, before they look at it themselves.
            let plan = match is_retyped.get() {
                true => Transformed::yes(plan.data.recompute_schema()?),
                false => plan,
            };
            match plan.data {
                LogicalPlan::Union(union) => {
                    let rewritten = of_union(union)?;
                    is_retyped.set(is_retyped.get() || rewritten.transformed);
                    Ok(rewritten)
                }
                other => Ok(Transformed::new_transformed(other, plan.transformed)),
            }
        })?;
        Ok(rewritten.data)
    }
}

/// An expression without its aliases, of whose choices the types are said.
pub(super) fn chosen(expression: &Expr, schema: &DFSchema) -> Expr {
    let unnamed = expression.clone().unalias_nested().data;
    let said = unnamed
        .clone()
        .transform_up(|inner| Ok(of_expression(inner, schema)));
    said.map_or(unnamed, |said| said.data)
}

fn of_expression(expression: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let mut expression = match expression {
        // A cast to a type that Arrow's tells would keep the name of what is cast.
        Expr::Cast(Cast { expr, field }) if is_plain(&field) && of_named(&expr, schema) => {
            let own = types::of_field(&field).oid.to_string();
            let metadata = [(TYPE_KEY.to_owned(), own)].into();
            let field = Arc::new(field.as_ref().clone().with_metadata(metadata));
            return Transformed::yes(Expr::Cast(Cast { expr, field }));
        }
        other => other,
    };
    let mut choices: Vec<&mut Expr> = match &mut expression {
        // The last choice counts first, as in transformCaseExpr in parse_expr.c.
        Expr::Case(Case {
            when_then_expr,
            else_expr,
            ..
        }) => else_expr
            .iter_mut()
            .map(AsMut::as_mut)
            .chain(when_then_expr.iter_mut().map(|(_, then)| then.as_mut()))
            .collect(),
        Expr::ScalarFunction(ScalarFunction { func, args }) if CHOOSING.contains(&func.name()) => {
            args.iter_mut().collect()
        }
        // The second argument is only compared.
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "nullif" => {
            args.iter_mut().take(1).collect()
        }
        _ => return Transformed::no(expression),
    };
    // Outer references of a correlated subquery have no type here.
    let fields = choices.iter().map(|choice| Choice::of(choice, schema));
    let Some(choices_are) = fields.collect::<Option<Vec<_>>>() else {
        return Transformed::no(expression);
    };
    let Some(field) = common_field(&choices_are) else {
        return Transformed::no(expression);
    };
    for (choice, is) in choices.iter_mut().zip(&choices_are) {
        if is.field.data_type() != field.data_type() {
            **choice = named(std::mem::take(*choice), &field);
        }
    }
    Transformed::yes(named(expression, &field))
}

/// The columns of a union, each of one type.
fn of_union(union: Union) -> Result<Transformed<LogicalPlan>> {
    let n_columns = union.schema.fields().len();
    let columns: Vec<Vec<Choice>> = (0..n_columns)
        .map(|column| {
            let inputs = union.inputs.iter();
            inputs
                .map(|input| Choice::of_column(input, column))
                .collect()
        })
        .collect();
    let found: Vec<Option<FieldRef>> = columns.iter().map(|of| common_field(of)).collect();
    let is_found = |(of, found): (&Vec<Choice>, &Option<FieldRef>)| match found {
        Some(field) => of.iter().any(|is| !is.is_already(field)),
        None => false,
    };
    if !columns.iter().zip(&found).any(is_found) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let inputs = union.inputs.into_iter().enumerate();
    let inputs = inputs.map(|(at, input)| {
        let schema = Arc::clone(input.schema());
        let projected = schema.columns().into_iter().enumerate().map(|(i, column)| {
            let (relation, name) = (column.relation.clone(), column.name.clone());
            match &found[i] {
                Some(field) if !columns[i][at].is_already(field) => {
                    named(Expr::Column(column), field).alias_qualified(relation, name)
                }
                _ => Expr::Column(column),
            }
        });
        let projected: Vec<Expr> = projected.collect();
        let input = Arc::unwrap_or_clone(input);
        Ok(Arc::new(
            LogicalPlanBuilder::from(input)
                .project(projected)?
                .build()?,
        ))
    });
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let union = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
    Ok(Transformed::yes(union))
}

/// One of the values that are chosen among.
struct Choice {
    field: FieldRef,
    /// Whether it is a literal, whose type the others decide.
    is_open: bool,
}

impl Choice {
    fn of(expression: &Expr, schema: &DFSchema) -> Option<Self> {
        let (_, field) = expression.to_field(schema).ok()?;
        let is_open = is_open(expression);
        Some(Self { field, is_open })
    }

    fn of_column(plan: &LogicalPlan, column: usize) -> Self {
        let field = Arc::clone(&plan.schema().fields()[column]);
        let is_open = match plan {
            LogicalPlan::Projection(projection) => is_open(&projection.expr[column]),
            _ => false,
        };
        Self { field, is_open }
    }

    /// Its type; `None` where the others decide.
    fn pg_type(&self) -> Option<u32> {
        (!self.is_open).then(|| types::of_field(&self.field).oid)
    }

    /// Whether it has a type that Arrow's does not tell.
    fn is_named(&self) -> bool {
        is_named(&self.field)
    }

    fn is_already(&self, field: &Field) -> bool {
        let (is, wanted) = (types::of_field(&self.field), types::of_field(field));
        is == wanted && (is.oid == oid::TEXT || self.field.data_type() == field.data_type())
    }
}

/// Whether an expression is a literal without a type: NULL, quoted, or an array of nothing.
fn is_open(expression: &Expr) -> bool {
    match expression {
        Expr::Alias(alias) => is_open(&alias.expr),
        Expr::Literal(ScalarValue::Utf8(_) | ScalarValue::Null, None) => true,
        Expr::ScalarFunction(call) => call.func.name() == "make_array" && call.args.is_empty(),
        // What is quoted beside a list was read as one before.
        Expr::Cast(Cast { expr, field }) if matches!(field.data_type(), DataType::List(_)) => {
            is_plain(field) && is_open(expr)
        }
        _ => false,
    }
}

/// The field of a choice; `None` where Arrow's types say all.
fn common_field(choices: &[Choice]) -> Option<FieldRef> {
    if !choices.iter().any(Choice::is_named) {
        return None;
    }
    let of: Vec<Option<u32>> = choices.iter().map(Choice::pg_type).collect();
    let common = common_type(&of)?;
    let mut metadata = vec![(TYPE_KEY.to_owned(), common.to_string())];
    // A modifier stays where all have the same (`select_common_typmod`).
    let modifiers = choices.iter().map(|choice| match choice.is_open {
        true => -1,
        false => types::of_field(&choice.field).modifier,
    });
    let mut modifiers = modifiers.collect::<Vec<_>>();
    modifiers.dedup();
    if let ([modifier], true) = (modifiers.as_slice(), common != oid::NUMERIC)
        && *modifier != -1
    {
        metadata.push((MODIFIER_KEY.to_owned(), modifier.to_string()));
    }
    // Its own form of values, where one of them has it.
    let data_type = choices
        .iter()
        .find(|choice| choice.pg_type() == Some(common))
        .map(|choice| choice.field.data_type().clone())
        .or_else(|| types::arrow_type(common))?;
    let field = Field::new("", data_type, true);
    Some(Arc::new(
        field.with_metadata(metadata.into_iter().collect()),
    ))
}

/// Whether a field has a type that Arrow's does not tell, or its elements have.
fn is_named(field: &Field) -> bool {
    let metadata = field.metadata();
    metadata.contains_key(TYPE_KEY)
        || metadata.contains_key(MODIFIER_KEY)
        || match field.data_type() {
            DataType::UInt32 => true,
            DataType::List(element) => is_named(element),
            _ => false,
        }
}

/// Whether a cast's type is one that Arrow's tells.
fn is_plain(field: &Field) -> bool {
    field.metadata().is_empty()
}

/// Whether an expression is text of a type that Arrow's does not tell.
fn of_named(expression: &Expr, schema: &DFSchema) -> bool {
    let field = expression.to_field(schema).map(|(_, field)| field);
    field.is_ok_and(|field| {
        let oid = types::of_field(&field).oid;
        [oid::NAME, oid::CHAR].contains(&oid) && field.metadata().contains_key(TYPE_KEY)
    })
}

fn named(expression: Expr, field: &FieldRef) -> Expr {
    Expr::Cast(Cast {
        expr: Box::new(expression),
        field: Arc::clone(field),
    })
}
