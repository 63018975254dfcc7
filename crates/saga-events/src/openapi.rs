//! How ids, numbers, times and names are described in the services' OpenAPI documents: as JSON Schemas
//! of what serde reads and writes. Each has a name there, so that it is described once.

use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

use crate::{
    Amount, EventId, EventType, ItemId, Money, NotificationId, OrderId, Quantity, ReasonCode,
    Service, Timestamp, Units, UserId,
};

macro_rules! described {
    ($($name:ident $schema:expr, $description:literal;)*) => {$(
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                let schema: ObjectBuilder = $schema;
                schema.description(Some($description)).into()
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

described! {
    OrderId text(KnownFormat::Uuid), "A purchase; any UUID version.";
    UserId text(KnownFormat::Uuid), "A buyer; any UUID version.";
    ItemId text(KnownFormat::Uuid), "A thing to buy; any UUID version.";
    NotificationId text(KnownFormat::Uuid), "A notification.";
    EventId text(KnownFormat::Uuid), "An event: UUID v5 of (order id, type), so a repeat has the same.";
    Timestamp text(KnownFormat::DateTime), "A point in time: UTC, to the microsecond.";
    Money number(Money::MIN.get(), Money::MAX.get()), "A balance, in the currency's minor unit.";
    Amount number(Amount::MIN.get(), Amount::MAX.get()), "A price or a total, in the currency's minor unit.";
    Quantity number(Quantity::MIN.get(), Quantity::MAX.get()), "How many of an item one purchase buys.";
    Units number(Units::MIN.get(), Units::MAX.get()), "Pieces of an item.";
    Service names(Service::ALL.map(Service::as_str)), "One of the six services.";
    EventType names(EventType::ALL.iter().map(|known| known.as_str())), "An event of the protocol.";
    ReasonCode names(ReasonCode::ALL.iter().map(|known| known.as_str())), "Why a purchase was cancelled.";
}

fn text(format: KnownFormat) -> ObjectBuilder {
    let format = SchemaFormat::KnownFormat(format);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(format))
}

fn number(min: i64, max: i64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(min))
        .maximum(Some(max))
}

/// One of these words.
pub fn names(names: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names))
}

/// The describing half of [`spelled!`](crate::spelled), for types that have `ALL` and `as_str`.
#[macro_export]
macro_rules! described_by_name {
    ($name:ident $($schema:literal)?) => {
        impl $crate::utoipa::PartialSchema for $name {
            fn schema() -> $crate::utoipa::openapi::RefOr<$crate::utoipa::openapi::schema::Schema> {
                $crate::openapi::names(Self::ALL.map(Self::as_str)).into()
            }
        }

        impl $crate::utoipa::ToSchema for $name {
            $(fn name() -> std::borrow::Cow<'static, str> {
                $schema.into()
            })?
        }
    };
}
