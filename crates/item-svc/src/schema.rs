//! The tables as diesel sees them; `migrations/` explains them.

diesel::table! {
    items (id) {
        id -> Binary,
        name -> Text,
        description -> Text,
        price -> BigInt,
        available -> BigInt,
        held -> BigInt,
        sold -> BigInt,
        withdrawn -> Bool,
        created_at -> BigInt,
    }
}

diesel::table! {
    restocks (seq) {
        seq -> BigInt,
        item_id -> Binary,
        quantity -> BigInt,
        created_at -> BigInt,
    }
}
