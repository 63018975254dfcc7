//! The holds' part of an audit: the same in three services.

use diesel::prelude::*;
use saga_audit::Check;
use saga_events::{EventType, ReasonCode};

use super::machine::{Participant, State};
use crate::audit::{Asked, Journal, Law, Said, every_row, journal};
use crate::schema::holds;

/// How many holds are under way.
///
/// # Errors
/// The database's.
pub fn reserved(conn: &mut SqliteConnection) -> QueryResult<i64> {
    let reserved = holds::table.filter(holds::state.eq(State::Reserved));
    reserved.count().get_result(conn)
}

/// The laws that every hold keeps, whatever is held.
///
/// # Errors
/// The database's.
pub fn audit<P: Participant>(
    conn: &mut SqliteConnection,
    asked: &Asked,
) -> QueryResult<Vec<Check>> {
    let rows: i64 = holds::table.count().get_result(conn)?;
    let whole = Law {
        id: "holds-whole",
        subject: "",
        sides: ("held", "held by a row that knows what for"),
    };
    // The schema's checks refuse such a row; a file that was changed by hand may have it.
    let broken = "SELECT NULL AS subject, order_id, held AS l, 0 AS r FROM holds \
                  WHERE held < 0 OR (state = 'Refused' AND held <> 0) \
                  OR (user_id IS NULL AND held <> 0) \
                  OR (state IN ('Reserved', 'Confirmed') AND (user_id IS NULL OR item_id IS NULL \
                      OR quantity IS NULL OR total_amount <> unit_price * quantity)) \
                  OR (state IN ('Refused', 'Released') \
                      AND (reason_code IS NULL OR failed_step IS NULL))";
    let mut checks = every_row(conn, whole, rows, broken)?;
    checks.extend(journal(conn, "holds-said", &said::<P>(), asked)?);
    Ok(checks)
}

fn said<P: Participant>() -> Journal {
    let wire = P::WIRE;
    let mut refused: Vec<EventType> = ReasonCode::ALL.iter().map(|r| (wire.refused)(*r)).collect();
    refused.sort_unstable();
    refused.dedup();
    let said = |state: State, one_of: Vec<EventType>, perhaps: &[EventType]| Said {
        state: state.as_str(),
        one_of,
        perhaps: perhaps.to_vec(),
        open: state == State::Reserved,
    };
    Journal {
        me: wire.me,
        table: "holds",
        state: "state",
        said: vec![
            said(State::Reserved, wire.reserved.to_vec(), &[]),
            said(State::Refused, refused, &[]),
            said(State::Released, vec![wire.released], wire.reserved),
            said(State::Confirmed, vec![wire.confirmed], wire.reserved),
        ],
    }
}
