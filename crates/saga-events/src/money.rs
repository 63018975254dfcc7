//! Integer money and counts with checked arithmetic. Nothing here can hold a value outside its
//! range, so an overflow is found where it happens and never stored.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The largest amount, balance, stock: 2⁵³−1, what every JSON reader keeps exactly.
pub const MAX_MONEY: i64 = (1 << 53) - 1;

/// A number outside the range of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from {min} to {max}, not {value}")]
pub struct OutOfRange {
    /// What was given.
    pub value: i64,
    /// The smallest value allowed.
    pub min: i64,
    /// The largest value allowed.
    pub max: i64,
}

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident, $min:expr, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "sql", derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow))]
        #[cfg_attr(feature = "sql", diesel(sql_type = diesel::sql_types::BigInt))]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name(i64);

        impl $name {
            /// The smallest value.
            pub const MIN: Self = Self($min);
            /// The largest value.
            pub const MAX: Self = Self($max);

            /// Checks the range.
            ///
            /// # Errors
            /// [`OutOfRange`] names the range.
            pub const fn new(value: i64) -> Result<Self, OutOfRange> {
                if value < $min || value > $max {
                    return Err(OutOfRange { value, min: $min, max: $max });
                }
                Ok(Self(value))
            }

            /// The number itself.
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = OutOfRange;

            fn try_from(value: i64) -> Result<Self, OutOfRange> {
                Self::new(value)
            }
        }

        impl From<$name> for i64 {
            fn from(value: $name) -> i64 {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let (min, max): (i64, i64) = ($min, $max);
                schemars::json_schema!({ "type": "integer", "minimum": min, "maximum": max })
            }
        }
    };
}

bounded! {
    /// A balance, in the currency's minor unit: 0 to 2⁵³−1.
    Money, 0, MAX_MONEY
}
bounded! {
    /// A price, a total, a deposit, in the currency's minor unit: 1 to 2⁵³−1.
    Amount, 1, MAX_MONEY
}
bounded! {
    /// How many of an item one purchase buys: 1 to 1000.
    Quantity, 1, 1000
}
bounded! {
    /// How many of an item are in stock: 0 to 2⁵³−1.
    Units, 0, MAX_MONEY
}

impl Amount {
    /// The price of `quantity` pieces, or `None` where that is over 2⁵³−1.
    pub fn times(self, quantity: Quantity) -> Option<Self> {
        Self::new(self.0.checked_mul(quantity.0)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_over_the_largest_amount_is_none() {
        let half = Amount::new(MAX_MONEY / 2 + 1).unwrap();
        assert_eq!(half.times(Quantity::new(2).unwrap()), None);
        assert_eq!(Amount::MAX.times(Quantity::MIN), Some(Amount::MAX));
        assert_eq!(Amount::MAX.times(Quantity::MAX), None);
    }

    #[test]
    fn numbers_out_of_range_name_the_range() {
        let error = serde_json::from_str::<Quantity>("0")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("must be a whole number from 1 to 1000, not 0"),
            "{error}"
        );
        for bad in [
            "-1",
            "1.5",
            "1e3",
            "\"1\"",
            "9007199254740992",
            "99999999999999999999",
        ] {
            assert!(serde_json::from_str::<Amount>(bad).is_err(), "{bad}");
        }
    }
}
