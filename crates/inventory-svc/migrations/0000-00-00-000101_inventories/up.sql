-- The users' inventories. A user without a row has one all the same: empty, of 20 slots.
CREATE TABLE inventories (
    user_id  BLOB    NOT NULL PRIMARY KEY CHECK (length(user_id) = 16),
    capacity INTEGER NOT NULL CHECK (capacity BETWEEN 0 AND 10000),
    -- Slots with a stack in them: as many as the user has rows in stacks.
    used     INTEGER NOT NULL CHECK (used >= 0),
    -- Slots held for purchases under way.
    held     INTEGER NOT NULL CHECK (held >= 0),
    CHECK (used + held <= capacity)
) STRICT, WITHOUT ROWID;

-- What users own. A stack takes one slot, whatever its quantity.
CREATE TABLE stacks (
    user_id  BLOB    NOT NULL REFERENCES inventories (user_id),
    item_id  BLOB    NOT NULL CHECK (length(item_id) = 16),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (user_id, item_id)
) STRICT, WITHOUT ROWID;
