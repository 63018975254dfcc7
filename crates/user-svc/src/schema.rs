//! The tables as diesel sees them; `migrations/` explains them.

diesel::table! {
    users (id) {
        id -> Binary,
        username -> Text,
        active -> Bool,
        available -> BigInt,
        held -> BigInt,
        captured -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    deposits (id) {
        id -> Binary,
        user_id -> Binary,
        amount -> BigInt,
        created_at -> BigInt,
    }
}

diesel::joinable!(deposits -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(users, deposits);
