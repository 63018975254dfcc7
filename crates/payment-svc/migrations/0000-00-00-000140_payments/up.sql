-- One row an order: the inbox, the intent towards the gateway, the tombstone and the decision.
-- Rows are never deleted in this version: they must outlive every copy of an event.
CREATE TABLE payments (
    order_id          BLOB    NOT NULL PRIMARY KEY CHECK (length(order_id) = 16),
    -- No IN: for three or more members SQLite builds a table in memory at each row that it checks.
    state             TEXT    NOT NULL CHECK (state = 'Authorizing' OR state = 'Processed' OR state = 'Failed'),
    -- The purchase; a tombstone does not know it.
    user_id           BLOB    CHECK (length(user_id) = 16),
    item_id           BLOB    CHECK (length(item_id) = 16),
    quantity          INTEGER CHECK (quantity BETWEEN 1 AND 1000),
    unit_price        INTEGER CHECK (unit_price > 0),
    -- What the gateway is asked for, in the currency's minor unit.
    total_amount      INTEGER CHECK (total_amount > 0),
    deadline          INTEGER,
    -- Why it failed.
    reason_code       TEXT,
    failed_step       TEXT,
    -- Under which name the gateway keeps its answer; NULL until it has answered.
    gateway_reference TEXT,
    -- The highest attempt heard of item.reserved and of order.cancel.requested.
    answered_item     INTEGER NOT NULL CHECK (answered_item >= 0),
    answered_cancel   INTEGER NOT NULL CHECK (answered_cancel >= 0),
    -- The trace of the event that made the row: the gateway's answer comes without one.
    traceparent       TEXT,
    updated_at        INTEGER NOT NULL,
    CHECK (state NOT IN ('Authorizing', 'Processed') OR user_id IS NOT NULL),
    CHECK ((user_id IS NULL) = (item_id IS NULL) AND (user_id IS NULL) = (quantity IS NULL)
       AND (user_id IS NULL) = (unit_price IS NULL) AND (user_id IS NULL) = (total_amount IS NULL)
       AND (user_id IS NULL) = (deadline IS NULL)),
    CHECK (state <> 'Processed' OR gateway_reference IS NOT NULL),
    CHECK ((state = 'Failed') = (reason_code IS NOT NULL)),
    CHECK ((reason_code IS NULL) = (failed_step IS NULL))
) STRICT, WITHOUT ROWID;

-- Whose answer is not known yet: asked again after a start, and listed for people. It holds only
-- those rows, so it stays small however many payments there are.
CREATE INDEX payments_authorizing ON payments (order_id) WHERE state = 'Authorizing';
