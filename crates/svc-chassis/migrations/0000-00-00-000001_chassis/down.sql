DROP TABLE fences;
DROP TABLE idempotency_keys;
DROP TABLE dead_letters;
DROP TABLE relay_position;
DROP TABLE outbox;
