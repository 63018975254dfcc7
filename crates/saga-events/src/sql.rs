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
                out.set_value(self.uuid().as_bytes().to_vec());
                Ok(IsNull::No)
            }
        }

        impl FromSql<Binary, Sqlite> for $name {
            fn from_sql(bytes: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                let bytes = <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(bytes)?;
                Ok(Self::from_uuid(uuid::Uuid::from_slice(&bytes)?))
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

/// Stores an enum by its name: a person who opens the file reads words, not numbers. The type
/// needs `as_str` and `FromStr`, and a derived `AsExpression` and `FromSqlRow` of SQL type `Text`.
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
                value: <diesel::sqlite::Sqlite as diesel::backend::Backend>::RawValue<'_>,
            ) -> diesel::deserialize::Result<Self> {
                use diesel::deserialize::FromSql;
                type Name = diesel::sql_types::Text;
                let name = <String as FromSql<Name, diesel::sqlite::Sqlite>>::from_sql(value)?;
                Ok(name.parse()?)
            }
        }
    )*};
}

stored_by_name! { EventType ReasonCode Service }
