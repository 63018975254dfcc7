//! Why a purchase was cancelled, as data: never guessed from a text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Service;

macro_rules! reason_codes {
    ($($variant:ident $text:literal $sentence:literal,)*) => {
        /// A stable, machine-readable reason.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "sql", derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow))]
        #[cfg_attr(feature = "sql", diesel(sql_type = diesel::sql_types::Text))]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum ReasonCode {
            $(#[doc = $sentence] #[serde(rename = $text)] $variant,)*
        }

        impl ReasonCode {
            /// Every reason code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As it is spelled in events and answers.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// One sentence for people.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }
        }
    };
}

reason_codes! {
    UserNotFound "USER_NOT_FOUND" "The buyer is not known.",
    UserInactive "USER_INACTIVE" "The buyer's account is deactivated.",
    InsufficientBalance "INSUFFICIENT_BALANCE" "The buyer's balance does not cover the total.",
    InventoryFull "INVENTORY_FULL" "The buyer's inventory has no free slot.",
    ItemNotFound "ITEM_NOT_FOUND" "The item is not known.",
    ItemWithdrawn "ITEM_WITHDRAWN" "The item is no longer sold.",
    OutOfStock "OUT_OF_STOCK" "There is not enough stock of the item.",
    PriceChanged "PRICE_CHANGED" "The item's price is not the quoted one any more.",
    PaymentDeclined "PAYMENT_DECLINED" "The payment gateway declined the payment.",
    DeadlineExceeded "DEADLINE_EXCEEDED" "The purchase was not paid before its deadline.",
    CancelledByUser "CANCELLED_BY_USER" "The buyer cancelled the purchase before it was paid.",
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ReasonCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|code| code.as_str() == text);
        found
            .copied()
            .ok_or_else(|| format!("unknown reason code {text:?}"))
    }
}

/// Why, and at which step: travels the way back with every failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// The code.
    pub reason_code: ReasonCode,
    /// The service that refused; payment-svc for a decline, a deadline and a cancel.
    pub failed_step: Service,
}
