-- One row an order, never deleted in this version. Ids are UUID v7, so the table grows at its end.
CREATE TABLE orders (
    order_id     BLOB    NOT NULL PRIMARY KEY CHECK (length(order_id) = 16),
    -- The purchase, frozen when the order was made.
    user_id      BLOB    NOT NULL CHECK (length(user_id) = 16),
    item_id      BLOB    NOT NULL CHECK (length(item_id) = 16),
    quantity     INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
    unit_price   INTEGER NOT NULL CHECK (unit_price > 0),
    total_amount INTEGER NOT NULL CHECK (total_amount = unit_price * quantity),
    -- When the pivot is asked to cancel (microseconds since 1970, as all times here).
    deadline     INTEGER NOT NULL,
    -- No IN: for three or more members SQLite builds a table in memory at each row that it checks.
    status       TEXT    NOT NULL CHECK (status = 'PENDING' OR status = 'CANCELLING' OR status = 'COMPLETED' OR status = 'CANCELLED'),
    -- Why it was cancelled; while CANCELLING, why the pivot is asked.
    reason_code  TEXT,
    failed_step  TEXT,
    -- The one counter of repeats, shared by the four events that may be repeated.
    attempt      INTEGER NOT NULL CHECK (attempt >= 0),
    -- The buyer was told: the order is closed.
    told         INTEGER NOT NULL CHECK (told IN (0, 1)),
    -- The next time the sweep must look at it: its deadline or a repeat. NULL: never again.
    due_at       INTEGER,
    -- Repeats since the status changed: each doubles the wait.
    repeats      INTEGER NOT NULL CHECK (repeats >= 0),
    -- Its last output's row in the outbox: a repeat waits until that is published.
    last_seq     INTEGER NOT NULL,
    -- The trace of the request that began it.
    traceparent  TEXT,
    created_at   INTEGER NOT NULL,
    -- When the status changed last.
    updated_at   INTEGER NOT NULL,
    CHECK (status NOT IN ('CANCELLING', 'CANCELLED') OR (reason_code IS NOT NULL AND failed_step IS NOT NULL)),
    CHECK (status NOT IN ('PENDING', 'COMPLETED') OR (reason_code IS NULL AND failed_step IS NULL)),
    CHECK (told = 0 OR status IN ('COMPLETED', 'CANCELLED')),
    CHECK ((due_at IS NULL) = (told = 1))
) STRICT, WITHOUT ROWID;

-- What the sweep looks for: only orders that are not closed, whatever else has accumulated. The
-- deadline is in it so that overdue orders are found without reading the others' rows.
CREATE INDEX orders_due ON orders (status, due_at, deadline) WHERE due_at IS NOT NULL;

-- A user's orders, newest first.
CREATE INDEX orders_of_user ON orders (user_id, order_id);
