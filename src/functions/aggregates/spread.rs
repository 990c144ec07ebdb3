//! `variance`, `stddev` and their kind: numeric of integers and numerics, else double precision.
//! <https://www.postgresql.org/docs/16/functions-aggregate.html#FUNCTIONS-AGGREGATE-STATISTICS-TABLE>

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Float64Type, Int64Type, i256,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use super::squares::{ARROW_SCALE, Exact, Floats, Which};
use crate::functions::overloads::undefined;
use crate::functions::scalar::external;

/// Names, and which of the four they mean.
#[rustfmt::skip] // A table.
const FUNCTIONS: [(&str, &[&str], Which); 4] = [
    ("var_pop", &[], Which { is_sample: false, is_root: false }),
    ("var_samp", &["variance"], Which { is_sample: true, is_root: false }),
    ("stddev_pop", &[], Which { is_sample: false, is_root: true }),
    ("stddev_samp", &["stddev"], Which { is_sample: true, is_root: true }),
];

/// The aggregates of this file.
pub(super) fn functions() -> Vec<Arc<AggregateUDF>> {
    let function = |(name, aliases, which): (&'static str, &[&str], Which)| {
        Arc::new(AggregateUDF::from(Spread {
            signature: Signature::user_defined(Volatility::Immutable),
            name,
            aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
            which,
        }))
    };
    FUNCTIONS.map(function).into()
}

/// What the aggregate of a name gives.
pub(super) fn which(name: &str) -> Option<Which> {
    let found = FUNCTIONS.iter().find(|(known, _, _)| *known == name);
    found.map(|(_, _, which)| *which)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Spread {
    signature: Signature,
    name: &'static str,
    aliases: Vec<String>,
    which: Which,
}

impl AggregateUDFImpl for Spread {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let [argument] = arguments else {
            return Err(external(undefined(self.name, arguments)));
        };
        Ok(vec![match argument {
            DataType::Null | DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                DataType::Float64
            }
            DataType::UInt64 => DataType::Decimal128(20, 0),
            integer if integer.is_integer() => DataType::Int64,
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale) => DataType::Decimal128(*precision, *scale),
            DataType::Decimal256(..) => argument.clone(),
            DataType::Dictionary(_, value) => return self.coerce_types(&[value.as_ref().clone()]),
            _ => return Err(external(undefined(self.name, arguments))),
        }])
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(match arguments {
            [DataType::Float64] => DataType::Float64,
            _ => DataType::Decimal128(38, ARROW_SCALE),
        })
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let which = self.which;
        Ok(match arguments.expr_fields[0].data_type() {
            DataType::Float64 => Box::new(OfFloats {
                which,
                sums: Floats::default(),
            }),
            of => Box::new(OfNumerics {
                which,
                scale: scale_of(of),
                sums: Exact::EMPTY,
            }),
        })
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |name: &str, data_type| {
            let name = format!("{}[{name}]", arguments.name);
            Arc::new(Field::new(name, data_type, true))
        };
        Ok(match arguments.input_fields[0].data_type() {
            DataType::Float64 => ["count", "sum", "squares"]
                .map(|name| field(name, DataType::Float64))
                .into(),
            _ => vec![
                field("count", DataType::Int64),
                field("sum", DataType::Decimal256(76, 0)),
                field("squares", DataType::Decimal256(76, 0)),
            ],
        })
    }
}

fn scale_of(of: &DataType) -> u32 {
    match of {
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
            u32::try_from(*scale).unwrap_or(0)
        }
        _ => 0,
    }
}

/// Of integers and numerics.
#[derive(Debug)]
struct OfNumerics {
    which: Which,
    /// Digits behind the point of the values.
    scale: u32,
    sums: Exact,
}

impl OfNumerics {
    fn take(&mut self, values: &ArrayRef, is_back: bool) -> Result<()> {
        let values: Box<dyn Iterator<Item = i256> + '_> = match values.data_type() {
            DataType::Int64 => {
                let values = values.as_primitive::<Int64Type>().iter().flatten();
                Box::new(values.map(|value| i256::from_i128(i128::from(value))))
            }
            DataType::Decimal256(..) => {
                Box::new(values.as_primitive::<Decimal256Type>().iter().flatten())
            }
            _ => {
                let values = values.as_primitive::<Decimal128Type>().iter().flatten();
                Box::new(values.map(i256::from_i128))
            }
        };
        for value in values {
            let one = Exact::of(value).map_err(external)?;
            self.sums.add(one, is_back).map_err(external)?;
        }
        Ok(())
    }
}

impl Accumulator for OfNumerics {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.take(&values[0], false)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.take(&values[0], true)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = self.sums.value(self.which, self.scale).map_err(external)?;
        Ok(ScalarValue::Decimal128(value, 38, ARROW_SCALE))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![
            ScalarValue::Int64(Some(self.sums.count)),
            ScalarValue::Decimal256(Some(self.sums.sum), 76, 0),
            ScalarValue::Decimal256(Some(self.sums.squares), 76, 0),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts = states[0].as_primitive::<Int64Type>();
        let (sums, squares) = (
            states[1].as_primitive::<Decimal256Type>(),
            states[2].as_primitive::<Decimal256Type>(),
        );
        for index in 0..counts.len() {
            let other = Exact {
                count: counts.value(index),
                sum: sums.value(index),
                squares: squares.value(index),
            };
            self.sums.add(other, false).map_err(external)?;
        }
        Ok(())
    }
}

/// Of floating-point numbers.
#[derive(Debug)]
struct OfFloats {
    which: Which,
    sums: Floats,
}

impl Accumulator for OfFloats {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Float64Type>().iter().flatten() {
            self.sums.add(value).map_err(external)?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.sums.value(self.which)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Floats {
            count,
            sum,
            squares,
        } = self.sums;
        Ok([count, sum, squares].map(ScalarValue::from).into())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let column = |index: usize| states[index].as_primitive::<Float64Type>();
        let (counts, sums, squares) = (column(0), column(1), column(2));
        for index in 0..counts.len() {
            let other = Floats {
                count: counts.value(index),
                sum: sums.value(index),
                squares: squares.value(index),
            };
            self.sums.merge(other).map_err(external)?;
        }
        Ok(())
    }
}
