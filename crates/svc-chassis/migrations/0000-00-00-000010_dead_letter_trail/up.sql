-- What became of a dead letter: `open` until an operator replays or discards it. The row stays.
ALTER TABLE dead_letters ADD COLUMN state TEXT NOT NULL DEFAULT 'open'
    CHECK (state = 'open' OR state = 'replayed' OR state = 'discarded');

-- How `event` is written: `text` is the entry as it came; `escaped` is text in which bytes that are
-- no UTF-8 are \xNN; `fields` is an entry of other fields than one `event`; `gone` was trimmed.
ALTER TABLE dead_letters ADD COLUMN form TEXT NOT NULL DEFAULT 'text'
    CHECK (form = 'text' OR form = 'escaped' OR form = 'fields' OR form = 'gone');

-- Open ones are counted at every readiness probe, and are few among those that are settled.
CREATE INDEX dead_letters_open ON dead_letters (id) WHERE state = 'open';

-- The operator trail: who did what to a dead letter, when, why, and what came of it. Append-only.
CREATE TABLE dead_letter_trail (
    id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    dead_letter_id INTEGER NOT NULL REFERENCES dead_letters (id),
    act            TEXT    NOT NULL CHECK (act IN ('replay', 'discard')),
    reason         TEXT    NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    by             TEXT,
    outcome        TEXT    NOT NULL,
    time           INTEGER NOT NULL
) STRICT;

CREATE INDEX dead_letter_trail_of ON dead_letter_trail (dead_letter_id);

CREATE TRIGGER dead_letter_trail_is_never_changed BEFORE UPDATE ON dead_letter_trail
BEGIN
    SELECT RAISE(ABORT, 'the operator trail is append-only');
END;

CREATE TRIGGER dead_letter_trail_is_never_cut BEFORE DELETE ON dead_letter_trail
BEGIN
    SELECT RAISE(ABORT, 'the operator trail is append-only');
END;

-- What an operator has acted on is evidence too.
CREATE TRIGGER dead_letters_are_never_cut BEFORE DELETE ON dead_letters
BEGIN
    SELECT RAISE(ABORT, 'a dead letter is discarded by its state, not by deleting it');
END;
