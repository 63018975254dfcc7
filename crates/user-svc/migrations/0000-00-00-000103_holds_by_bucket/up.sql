-- A user's holds, bucket by bucket. Tombstones, which know no user, are in it too: it has to tell the
-- latest bucket.
DROP INDEX holds_of_user;
CREATE INDEX holds_of_user ON holds (bucket, user_id);
