//! The tables that services share. Their columns are explained in the migrations.
#![allow(missing_docs)]

diesel::table! {
    outbox (seq) {
        seq -> BigInt,
        event_id -> Binary,
        order_id -> Binary,
        #[sql_name = "type"]
        event_type -> Text,
        causation_id -> Nullable<Binary>,
        attempt -> BigInt,
        time -> BigInt,
        traceparent -> Nullable<Text>,
        data -> Text,
    }
}

diesel::table! {
    relay_position (id) {
        id -> BigInt,
        published -> BigInt,
    }
}

diesel::table! {
    dead_letters (id) {
        id -> BigInt,
        reason -> Text,
        error -> Text,
        attempts -> BigInt,
        stream -> Text,
        entry_id -> Text,
        order_id -> Nullable<Binary>,
        #[sql_name = "type"]
        event_type -> Nullable<Text>,
        event -> Text,
        created_at -> BigInt,
        state -> Text,
        form -> Text,
    }
}

diesel::table! {
    dead_letter_trail (id) {
        id -> BigInt,
        dead_letter_id -> BigInt,
        act -> Text,
        reason -> Text,
        by -> Nullable<Text>,
        outcome -> Text,
        time -> BigInt,
    }
}

diesel::table! {
    idempotency_keys (seq) {
        seq -> BigInt,
        scope -> Text,
        key -> Text,
        body -> Text,
        made -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    fences (name) {
        name -> Text,
        number -> BigInt,
    }
}

diesel::table! {
    holds (order_id) {
        order_id -> Binary,
        state -> Text,
        user_id -> Nullable<Binary>,
        item_id -> Nullable<Binary>,
        quantity -> Nullable<BigInt>,
        unit_price -> Nullable<BigInt>,
        total_amount -> Nullable<BigInt>,
        deadline -> Nullable<BigInt>,
        held -> BigInt,
        reason_code -> Nullable<Text>,
        failed_step -> Nullable<Text>,
        answered_there -> BigInt,
        answered_back -> BigInt,
        updated_at -> BigInt,
        bucket -> BigInt,
    }
}
