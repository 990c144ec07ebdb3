//! Functions that stand for casts to and between kept types.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryBuilder};
use arrow::datatypes::{DataType, Field, FieldRef};
use bytes::BytesMut;
use datafusion::common::{DataFusionError, Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::{from_text, network};
use crate::error::{Error, Result};
use crate::functions::output::{Style, Values, text_value};
use crate::types::{self, oid};

/// The function that says of values that they are of a field's type, and changes nothing.
pub fn as_type(to: &FieldRef) -> Arc<ScalarUDF> {
    conversion(Conversion::AsType, to, types::of_field(to).oid)
}

/// The function that keeps plain numbers or dates as values of this type are kept that Arrow does not
/// hold, so that the two can be compared; and addresses as networks.
pub fn kept_of(pg_oid: u32) -> Arc<ScalarUDF> {
    let conversion_to = match pg_oid {
        oid::CIDR => Conversion::Network,
        _ => Conversion::ByText,
    };
    let kept = Field::new("kept", DataType::Binary, true);
    conversion(conversion_to, &Arc::new(kept), pg_oid)
}

fn conversion(kind: Conversion, to: &FieldRef, pg_oid: u32) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Convert {
        signature: Signature::any(1, Volatility::Immutable),
        kind,
        to: types::named(to, pg_oid),
    }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Conversion {
    AsType,
    ByText,
    Network,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Convert {
    signature: Signature,
    kind: Conversion,
    to: FieldRef,
}

impl ScalarUDFImpl for Convert {
    fn name(&self) -> &'static str {
        match self.kind {
            Conversion::AsType => "as_type",
            Conversion::ByText | Conversion::Network => "kept",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DataFusionResult<DataType> {
        Ok(self.to.data_type().clone())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> DataFusionResult<FieldRef> {
        let field = self.to.as_ref().clone();
        let field = match self.kind {
            Conversion::AsType => field.with_data_type(arguments.arg_fields[0].data_type().clone()),
            Conversion::ByText | Conversion::Network => field,
        };
        Ok(Arc::new(field.with_name(self.name()).with_nullable(true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        if self.kind == Conversion::AsType {
            return Ok(arguments.args[0].clone());
        }
        let of = types::of_field(&arguments.arg_fields[0]).oid;
        let convert = |values: &ArrayRef| {
            let converted = match self.kind {
                Conversion::Network => networks(values),
                _ => by_text(values, of, types::of_field(&self.to).oid),
            };
            converted.map_err(|error| DataFusionError::External(Box::new(error)))
        };
        match &arguments.args[0] {
            ColumnarValue::Array(values) => convert(values).map(ColumnarValue::Array),
            ColumnarValue::Scalar(value) => {
                let values = convert(&value.to_array()?)?;
                ScalarValue::try_from_array(&values, 0).map(ColumnarValue::Scalar)
            }
        }
    }
}

/// A plain number or date as [`kept_of`] keeps it.
///
/// # Errors
/// The value is of another type.
pub fn of_scalar(value: &ScalarValue, pg_oid: u32) -> Result<ScalarValue> {
    if matches!(value, ScalarValue::Binary(_)) {
        return Ok(value.clone());
    }
    let values = value.to_array().map_err(Error::internal)?;
    let kept = by_text(&values, pg_oid, pg_oid)?;
    ScalarValue::try_from_array(&kept, 0).map_err(Error::internal)
}

/// Values read again from what they are as text, which is the same in every session.
fn by_text(values: &ArrayRef, of: u32, to: u32) -> Result<ArrayRef> {
    let style = Style::default();
    let read = Values::of(values, of)?;
    let mut kept = BinaryBuilder::new();
    let mut text = BytesMut::new();
    for row in 0..values.len() {
        if read.is_null(row) {
            kept.append_null();
            continue;
        }
        text.clear();
        text_value(&mut text, &read, row, &style)?;
        let text = std::str::from_utf8(&text).map_err(Error::internal)?;
        kept.append_value(from_text(text, to, &style)?);
    }
    Ok(Arc::new(kept.finish()))
}

/// Addresses as networks, without what names a host (`inet_to_cidr` in network.c).
fn networks(values: &ArrayRef) -> Result<ArrayRef> {
    let Values::Kept(addresses, _) = Values::of(values, oid::INET)? else {
        return Err(super::damaged());
    };
    let mut kept = BinaryBuilder::new();
    for address in &addresses {
        match address {
            Some(address) => kept.append_value(network::without_host(address)?),
            None => kept.append_null(),
        }
    }
    Ok(Arc::new(kept.finish()))
}
