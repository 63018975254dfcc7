DROP INDEX holds_of_user;
DROP TABLE deposits;
DROP TABLE users;
