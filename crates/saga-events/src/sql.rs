//! How ids, numbers, times and names are stored: ids as 16-byte BLOBs, names as readable TEXT.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Binary};
use diesel::sqlite::Sqlite;

use crate::{
    Amount, EventId, EventType, ItemId, Money, NotificationId, OrderId, Quantity, ReasonCode,
    Service, Timestamp, Units, UserId,
};

macro_rules! as_binary {
    ($($name:ident)*) => {$(
        impl ToSql<Binary, Sqlite> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(self.as_bytes().as_slice());
                Ok(IsNull::No)
            }
        }

        impl FromSql<Binary, Sqlite> for $name {
            fn from_sql(mut value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                Ok(Self::from_uuid(uuid::Uuid::from_slice(value.read_blob())?))
            }
        }
    )*};
}

as_binary! { OrderId UserId ItemId EventId NotificationId }

macro_rules! as_bigint {
    ($($name:ident: $get:ident, $from:expr;)*) => {$(
        impl ToSql<BigInt, Sqlite> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(self.$get());
                Ok(IsNull::No)
            }
        }

        impl FromSql<BigInt, Sqlite> for $name {
            fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                let number = <i64 as FromSql<BigInt, Sqlite>>::from_sql(value)?;
                $from(number)
            }
        }
    )*};
}

as_bigint! {
    Money: get, |number| Ok(Money::new(number)?);
    Amount: get, |number| Ok(Amount::new(number)?);
    Quantity: get, |number| Ok(Quantity::new(number)?);
    Units: get, |number| Ok(Units::new(number)?);
    Timestamp: micros, |number| Ok(Timestamp::from_micros(number));
}

/// Declares an enum whose values have names: it is `Copy`, ordered and hashed, has `ALL`, `as_str` and
/// `FromStr`, and is spelled by name in databases and in JSON, so that a person who opens the file
/// reads words. Where another type of that name is described in the same OpenAPI document, it says
/// what it is called there: `pub enum State: "state" as "LampState"`. The calling crate needs `diesel` and `serde`.
///
/// ```
/// saga_events::spelled! {
///     /// Where a lamp stands.
///     pub enum Lamp: "lamp" {
///         /// It shines.
///         On = "on",
///         /// It does not.
///         Off = "off",
///     }
/// }
/// assert_eq!((Lamp::On.as_str(), "off".parse()), ("on", Ok(Lamp::Off)));
/// assert_eq!("dim".parse::<Lamp>(), Err(r#"unknown lamp "dim""#.to_owned()));
/// ```
#[macro_export]
macro_rules! spelled {
    (
        $(#[$meta:meta])*
        pub enum $name:ident: $what:literal $(as $schema:literal)? {
            $($(#[$of_variant:meta])* $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Debug,
            Clone,
            Copy,
            PartialEq,
            Eq,
            PartialOrd,
            Ord,
            Hash,
            diesel::expression::AsExpression,
            diesel::deserialize::FromSqlRow,
        )]
        #[diesel(sql_type = diesel::sql_types::Text)]
        pub enum $name {
            $($(#[$of_variant])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// As it is spelled in the database and in answers.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::ALL.into_iter().find(|known| known.as_str() == text);
                found.ok_or_else(|| format!(concat!("unknown ", $what, " {:?}"), text))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(self.as_str())
            }
        }

        $crate::stored_by_name! { $name }
        $crate::described_by_name! { $name $($schema)? }
    };
}

/// The storing half of [`spelled!`](crate::spelled), for types that have `as_str` and `FromStr`.
#[macro_export]
macro_rules! stored_by_name {
    ($($name:ident)*) => {$(
        impl diesel::serialize::ToSql<diesel::sql_types::Text, diesel::sqlite::Sqlite> for $name {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, diesel::sqlite::Sqlite>,
            ) -> diesel::serialize::Result {
                out.set_value(self.as_str());
                Ok(diesel::serialize::IsNull::No)
            }
        }

        impl diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::sqlite::Sqlite> for $name {
            fn from_sql(
                mut value: <diesel::sqlite::Sqlite as diesel::backend::Backend>::RawValue<'_>,
            ) -> diesel::deserialize::Result<Self> {
                Ok(value.read_text().parse()?)
            }
        }
    )*};
}

stored_by_name! { EventType ReasonCode Service }
