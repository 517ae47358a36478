-- who this engine is; one row
CREATE TABLE engine (uuid TEXT NOT NULL);
INSERT INTO engine VALUES (lower(hex(randomblob(16))));
-- project configs that jobs were accepted under
CREATE TABLE config (
  digest TEXT PRIMARY KEY,
  body TEXT NOT NULL,     -- JSON as it was given
  origin TEXT NOT NULL    -- where it came from, for people
) WITHOUT ROWID;
-- config, options and limits in force when a job was accepted
CREATE TABLE terms (
  id INTEGER PRIMARY KEY,
  config TEXT NOT NULL REFERENCES config,
  options TEXT NOT NULL,  -- JSON
  limits TEXT NOT NULL,   -- JSON
  UNIQUE (config, options, limits)
);
-- one accepted batch: started -> success | failed; never deleted
CREATE TABLE job (
  n INTEGER PRIMARY KEY,  -- in order of acceptance
  id TEXT NOT NULL UNIQUE,
  key TEXT UNIQUE,        -- Idempotency-Key
  body TEXT NOT NULL,     -- digest of the request, to tell another body under the same key
  system_name TEXT NOT NULL,
  webhook TEXT,
  context TEXT,           -- JSON
  terms INTEGER NOT NULL REFERENCES terms,
  state TEXT NOT NULL DEFAULT 'started',
  images INTEGER NOT NULL,
  success INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  created_at REAL NOT NULL,
  finished_at REAL
);
CREATE INDEX job_open ON job (n) WHERE state = 'started';
-- one image of a batch; open while status is NULL
CREATE TABLE item (
  id INTEGER PRIMARY KEY, -- in order of acceptance, within a job in order of the request
  job INTEGER NOT NULL REFERENCES job,
  system_name TEXT NOT NULL,
  external_id TEXT NOT NULL,
  url TEXT NOT NULL,
  file_name TEXT NOT NULL,
  media_type TEXT NOT NULL,
  metadata TEXT,          -- JSON as sent, until the image has its outcome
  worker INTEGER,         -- who has the lease
  status TEXT,            -- success, skipped, failed
  reason TEXT,
  asset INTEGER REFERENCES asset
);
CREATE INDEX item_job ON item (job);
CREATE INDEX item_free ON item (id) WHERE status IS NULL AND worker IS NULL;
CREATE INDEX item_leased ON item (worker) WHERE worker IS NOT NULL;
CREATE INDEX item_pair ON item (system_name, external_id) WHERE status IS NULL;
-- leases are void when the worker's OS lock is free, or at expires (monotonic seconds);
-- numbers are never used twice, so a late writer is known by its number
CREATE TABLE worker (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,  -- of its lock and of its folder below tmp
  expires REAL NOT NULL
);
-- stored originals; a change of bytes adds one, so old results stay true
CREATE TABLE asset (
  id INTEGER PRIMARY KEY,
  media TEXT NOT NULL,    -- the entry it was made for
  key TEXT NOT NULL UNIQUE,
  sha256 TEXT NOT NULL,   -- of the stored bytes: the blob
  source_sha256 TEXT NOT NULL,  -- of the fetched bytes
  mime_type TEXT NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  size INTEGER NOT NULL,
  frames INTEGER NOT NULL,
  orientation INTEGER NOT NULL,
  created_at REAL NOT NULL
);
CREATE INDEX asset_blob ON asset (sha256);
CREATE INDEX asset_created ON asset (created_at);
-- one entry for each identity, for ever
CREATE TABLE media (
  id TEXT PRIMARY KEY,
  system_name TEXT NOT NULL,
  external_id TEXT NOT NULL,
  version INTEGER NOT NULL DEFAULT 1,
  media_type TEXT NOT NULL,
  title TEXT NOT NULL,
  metadata TEXT NOT NULL, -- JSON: as sent, and what was filled in
  request TEXT NOT NULL,  -- fingerprint of the request that made it so
  url TEXT NOT NULL,      -- its source, with that source's validators
  etag TEXT,
  last_modified TEXT,
  asset INTEGER NOT NULL REFERENCES asset,
  created_at REAL NOT NULL,
  updated_at REAL NOT NULL,
  UNIQUE (system_name, external_id)
) WITHOUT ROWID;
