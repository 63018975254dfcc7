//! The tables as diesel sees them; `migrations/` explains them.
#![allow(missing_docs)]

diesel::table! {
    inventories (user_id) {
        user_id -> Binary,
        capacity -> BigInt,
        used -> BigInt,
        held -> BigInt,
    }
}

diesel::table! {
    stacks (user_id, item_id) {
        user_id -> Binary,
        item_id -> Binary,
        quantity -> BigInt,
    }
}
