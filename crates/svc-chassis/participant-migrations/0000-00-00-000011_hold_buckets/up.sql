-- The bucket that the row was made in: rows made one after another share it. Where holds are looked for
-- by user, the index begins with it, so that it grows at its end.
ALTER TABLE holds ADD COLUMN bucket INTEGER NOT NULL DEFAULT 0 CHECK (bucket >= 0);
