//! The table, explained in the migration.
#![allow(missing_docs)]

diesel::table! {
    payments (order_id) {
        order_id -> Binary,
        state -> Text,
        user_id -> Nullable<Binary>,
        item_id -> Nullable<Binary>,
        quantity -> Nullable<BigInt>,
        unit_price -> Nullable<BigInt>,
        total_amount -> Nullable<BigInt>,
        deadline -> Nullable<BigInt>,
        reason_code -> Nullable<Text>,
        failed_step -> Nullable<Text>,
        gateway_reference -> Nullable<Text>,
        answered_item -> BigInt,
        answered_cancel -> BigInt,
        traceparent -> Nullable<Text>,
        updated_at -> BigInt,
    }
}
