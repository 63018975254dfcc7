//! The table at the top of `saga.rs`, every cell of it, and what the buyer's money has to do with it.

use saga_events::EventType::{
    InventoryConfirmed, InventoryReservationFailed, InventoryRollback, OrderCreated,
    PaymentConfirmed, PaymentReservationFailed, PaymentReserved, PaymentRollback, UserValidated,
    UserValidationFailed,
};
use svc_chassis::participant::State::{Confirmed, Reserved};
use svc_chassis::testing::cells::{Table, advance, sequences, sum};

use super::*;

const fn moved(available: i64, held: i64, captured: i64) -> Change {
    Change {
        available,
        held,
        captured,
    }
}

/// Enough money, of a buyer who may spend it.
fn plenty() -> Account {
    Account {
        active: true,
        available: 1000,
        held: 0,
        captured: 0,
    }
}

/// Of a purchase for 200.
fn table() -> Table<UserSaga> {
    let reserved = &[UserValidated, PaymentReserved];
    // Both of the right neighbour's ways to say that it holds nothing.
    let compensate_on = &[InventoryReservationFailed, InventoryRollback];
    Table {
        me: Service::User,
        book: plenty(),
        reserve: (OrderCreated, reserved, moved(-200, 200, 0)),
        confirm: (InventoryConfirmed, PaymentConfirmed, moved(0, -200, 200)),
        compensate: (compensate_on, PaymentRollback, moved(200, -200, 0)),
    }
}

#[test]
fn without_a_row_it_reserves_or_leaves_a_tombstone() {
    table().without_a_row_it_reserves_or_leaves_a_tombstone();
}

#[test]
fn held_money_is_captured_or_given_back_also_of_a_buyer_deactivated_meanwhile() {
    let deactivated = Account {
        active: false,
        ..plenty()
    };
    table().what_is_held_is_kept_or_given_back(&deactivated);
}

#[test]
fn money_that_was_given_back_stays_so() {
    table().what_was_given_back_stays_so();
}

#[test]
fn money_that_was_captured_stays_so() {
    table().what_was_kept_stays_so();
}

#[test]
fn what_cannot_be_held_is_refused_with_its_reason() {
    let inactive = Account {
        active: false,
        ..plenty()
    };
    let too_poor = Account {
        available: 199,
        ..plenty()
    };
    let refuses = |account, reason, says| table().it_refuses(account, reason, says);
    refuses(None, ReasonCode::UserNotFound, UserValidationFailed);
    let reason = ReasonCode::UserInactive;
    refuses(Some(&inactive), reason, UserValidationFailed);
    let reason = ReasonCode::InsufficientBalance;
    refuses(Some(&too_poor), reason, PaymentReservationFailed);
}

#[test]
fn the_whole_balance_can_be_held() {
    let just_enough = Account {
        available: 200,
        ..plenty()
    };
    let table = Table {
        book: just_enough,
        ..table()
    };
    table.without_a_row_it_reserves_or_leaves_a_tombstone();
}

/// All sequences of six events of two orders, with money for one of them.
#[test]
fn no_sequence_of_events_loses_or_mints_money() {
    for sequence in sequences([OrderCreated, InventoryConfirmed, InventoryRollback], 2) {
        let mut account = Account {
            available: 300,
            ..plenty()
        };
        let mut holds = [None, None];
        for (order, message) in sequence {
            if let Some(change) = advance::<UserSaga>(&mut holds[order], &message, &account) {
                account.available += change.available;
                account.held += change.held;
                account.captured += change.captured;
            }
            let kept = (account.held, account.captured);
            assert_eq!(kept, (sum(&holds, Reserved), sum(&holds, Confirmed)));
            assert_eq!(account.available + account.held + account.captured, 300);
            assert!(account.available >= 0);
        }
    }
}
