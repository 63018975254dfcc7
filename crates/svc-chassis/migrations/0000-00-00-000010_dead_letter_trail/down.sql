DROP TRIGGER dead_letters_are_never_cut;
DROP TABLE dead_letter_trail;
DROP INDEX dead_letters_open;
ALTER TABLE dead_letters DROP COLUMN form;
ALTER TABLE dead_letters DROP COLUMN state;
