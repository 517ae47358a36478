-- How far the catalogue has been read: numbers of its newest asset and change; one row.
CREATE TABLE reached (engine TEXT NOT NULL, asset INTEGER NOT NULL, change INTEGER NOT NULL);
-- entries in the order of their arrival
CREATE TABLE entry (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,   -- of the media entry
  created_at REAL NOT NULL,
  kind INTEGER NOT NULL REFERENCES kind
);
CREATE INDEX entry_created ON entry (created_at);
-- pairs of systemName and media type that there are
CREATE TABLE kind (
  id INTEGER PRIMARY KEY,
  system_name TEXT NOT NULL,
  media_type TEXT NOT NULL,
  images INTEGER NOT NULL DEFAULT 0,
  UNIQUE (system_name, media_type)
);
-- their words; "kind" holds the word k<kind>, so that a filter costs no more than a word
CREATE VIRTUAL TABLE words USING fts5 (
  title, caption, external_id, media_id, kind,
  tokenize = "unicode61 remove_diacritics 2"
);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, instance);
