-- Users by what people call them, which need not be unique.
CREATE INDEX users_by_name ON users (username, id);
