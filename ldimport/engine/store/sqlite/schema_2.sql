-- who may use the served engine; revoked ones stay, so that a list can name them
CREATE TABLE token (
  id TEXT PRIMARY KEY,    -- the first of its hash, to name it
  name TEXT NOT NULL,
  sha256 TEXT NOT NULL UNIQUE,
  scopes TEXT NOT NULL,   -- separated by blanks
  created_at REAL NOT NULL,
  expires_at REAL,
  revoked_at REAL
) WITHOUT ROWID;
-- notifications of ended jobs: waiting -> delivered | failed | disabled
CREATE TABLE webhook (
  id TEXT PRIMARY KEY,    -- webhook-id, the same at every try
  job INTEGER NOT NULL UNIQUE REFERENCES job,
  url TEXT NOT NULL,
  endpoint TEXT NOT NULL, -- scheme, host and port of the url
  body TEXT NOT NULL,     -- what is signed and sent
  state TEXT NOT NULL DEFAULT 'waiting',
  tries INTEGER NOT NULL DEFAULT 0,
  due_at REAL NOT NULL,   -- next try
  worker INTEGER,         -- who has the lease
  answer TEXT,            -- what the last try came to, for people
  created_at REAL NOT NULL,
  ended_at REAL
);
CREATE INDEX webhook_waiting ON webhook (due_at) WHERE state = 'waiting';
CREATE INDEX webhook_leased ON webhook (worker) WHERE worker IS NOT NULL;
