//! The table, explained in the migration.
#![allow(missing_docs)]

diesel::table! {
    notifications (seq) {
        seq -> BigInt,
        id -> Binary,
        order_id -> Binary,
        user_id -> Binary,
        kind -> Text,
        amount -> BigInt,
        text -> Text,
        channels -> Text,
        answered -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        bucket -> BigInt,
    }
}
