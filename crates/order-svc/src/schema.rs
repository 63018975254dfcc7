//! The orders table. Its columns are explained in the migration.
#![allow(missing_docs)]

diesel::table! {
    orders (order_id) {
        order_id -> Binary,
        user_id -> Binary,
        item_id -> Binary,
        quantity -> BigInt,
        unit_price -> BigInt,
        total_amount -> BigInt,
        deadline -> BigInt,
        status -> Text,
        reason_code -> Nullable<Text>,
        failed_step -> Nullable<Text>,
        attempt -> BigInt,
        told -> Bool,
        due_at -> Nullable<BigInt>,
        repeats -> BigInt,
        last_seq -> BigInt,
        traceparent -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        bucket -> BigInt,
    }
}
