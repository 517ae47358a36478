-- Statements of the catalogue, by name; a name in braces stands for an earlier one.

-- name: open_images
SELECT coalesce(sum(images - success - skipped - failed), 0) FROM job
  WHERE state = 'started'

-- name: free
-- Free images behind one, oldest first. A pair that is open in an earlier job waits for it.
SELECT i.id AS item, i.system_name, i.external_id AS id, i.url, i.file_name, i.media_type,
       i.metadata, i.deaths, j.terms, m.id AS media_id, m.request, m.url AS known_url, m.etag,
       m.last_modified,
       a.id AS asset, a.sha256, a.source_sha256, a.mime_type, a.width, a.height, a.frames,
       a.orientation
  FROM item i INDEXED BY item_free
  JOIN job j ON j.n = i.job
  LEFT JOIN media m ON m.system_name = i.system_name AND m.external_id = i.external_id
  LEFT JOIN asset a ON a.id = m.asset
 WHERE i.status IS NULL AND i.worker IS NULL AND i.id > ?3 AND (?2 IS NULL OR i.system_name = ?2)
   AND NOT EXISTS (SELECT 1 FROM item e INDEXED BY item_pair
                    WHERE e.status IS NULL AND e.system_name = i.system_name
                      AND e.external_id = i.external_id AND e.id < i.id)
 ORDER BY i.id LIMIT ?1

-- name: stuck
-- The oldest open job if nobody can end it; a transaction that ended its last image would have.
SELECT id FROM (SELECT id, n FROM job WHERE state = 'started' ORDER BY n LIMIT 1) j
 WHERE NOT EXISTS (SELECT 1 FROM item WHERE job = j.n AND status IS NULL
                      AND (worker IS NULL OR worker IN (SELECT id FROM worker)))

-- name: held
SELECT count(*), coalesce(max(deaths), 0) FROM item WHERE worker = ?

-- name: activity
SELECT ({open_images}) AS open,
       (SELECT min(leased_at) FROM item WHERE worker IS NOT NULL) AS leased_at,
       max(moved_at, coalesce((SELECT min(created_at) FROM job WHERE state = 'started'), 0))
         AS moved_at
  FROM engine

-- name: results
SELECT i.external_id, i.file_name AS title, i.file_name, i.status, i.reason, i.cause, a.media,
        a.key, a.mime_type, a.width, a.height, a.size, a.sha256, a.created_at AS stored_at
   FROM job j JOIN item i ON i.job = j.n LEFT JOIN asset a ON a.id = i.asset
  WHERE j.id = ? AND i.status IS NOT NULL ORDER BY i.id

-- name: job_totals
SELECT count(*) AS jobs, coalesce(sum(state = 'started'), 0) AS running,
       coalesce(sum(failed > 0), 0) AS with_failures, coalesce(sum(images), 0) AS images,
       coalesce(sum(success), 0) AS success, coalesce(sum(skipped), 0) AS skipped,
       coalesce(sum(failed), 0) AS failed
  FROM job WHERE n > ? AND n <= ?

-- name: all_ended
-- Up to which job all have ended: what these say changes no more.
SELECT coalesce((SELECT min(n) - 1 FROM job WHERE state = 'started'), max(n), 0) FROM job

-- name: job_images
SELECT i.id - (SELECT min(id) FROM item WHERE job = j.n) + 1 AS number, i.external_id,
       i.file_name AS title, i.url, i.status, i.reason, i.cause, a.media
  FROM job j JOIN item i ON i.job = j.n LEFT JOIN asset a ON a.id = i.asset
 WHERE j.id = ?1 AND (?2 IS NULL OR i.status = ?2) AND (NOT ?3 OR i.status IS NULL)
   AND (?4 IS NULL OR i.cause = ?4) AND (?5 IS NULL OR i.reason = ?5 AND i.cause IS NULL)
   AND i.id > (SELECT min(id) FROM item WHERE job = j.n) - 1 + ?6
 ORDER BY i.id LIMIT ?7

-- name: job_reasons
SELECT min(i.reason) AS reason, i.cause, count(*) AS images
  FROM job j JOIN item i ON i.job = j.n
 WHERE j.id = ? AND i.status = 'failed' GROUP BY i.cause, iif(i.cause IS NULL, i.reason, '')
 ORDER BY images DESC, reason LIMIT 100

-- name: terms
SELECT c.body, c.origin, t.options, t.limits
  FROM terms t JOIN config c ON c.digest = t.config WHERE t.id = ?

-- name: now_open
SELECT (SELECT coalesce(max(n), 0) FROM job),
  (SELECT json_group_array(n) FROM job WHERE state = 'started')

-- name: changed
SELECT * FROM job WHERE n IN (SELECT value FROM json_each(?2))
  UNION ALL SELECT * FROM job WHERE n > ?1 ORDER BY n

-- name: enter_job
INSERT INTO job (id, key, body, system_name, webhook, context, terms, images, created_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: terms_row
SELECT id FROM terms WHERE config = ? AND options = ? AND limits = ?

-- name: enter_item
INSERT INTO item (job, system_name, external_id, url, file_name, media_type, metadata)
  VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: lease
UPDATE item SET worker = ?, leased_at = ? WHERE id IN (SELECT value FROM json_each(?))

-- name: leases
-- Those of these images that are leased.
SELECT i.id, i.worker, i.job FROM json_each(?) e CROSS JOIN item i ON i.id = e.value
 WHERE i.status IS NULL AND i.worker IS NOT NULL

-- name: record
UPDATE item SET status = ?, reason = ?, cause = ?, asset = ?, metadata = NULL,
  worker = NULL WHERE id = ?

-- name: end_if_done
UPDATE job SET state = ?, finished_at = ?
  WHERE n = ? AND state = 'started' AND images = success + skipped + failed

-- name: fail_untried
UPDATE item SET status = 'failed', reason = ?, cause = ?, metadata = NULL,
  worker = NULL WHERE job = ? AND status IS NULL

-- name: due
state = 'waiting' AND worker IS NULL AND (due_at <= ?1 OR due_at > ?2)

-- name: claim
-- One for each endpoint, the oldest: a slow receiver delays nobody else, and gets one request
-- at a time.
SELECT w.id, j.id AS job, w.url, w.endpoint, w.body, w.tries + 1 AS tries, t.options, ?4 AS worker
  FROM (SELECT *, min(due_at) FROM webhook
         WHERE {due} AND endpoint NOT IN (SELECT endpoint FROM webhook WHERE worker IS NOT NULL)
         GROUP BY endpoint) w
  JOIN job j ON j.n = w.job
  JOIN terms t ON t.id = j.terms
 ORDER BY w.due_at LIMIT ?3

-- name: settle
UPDATE webhook SET state = ?, due_at = ?, answer = ?, ended_at = ?, worker = NULL
  WHERE id = ? AND worker = ?

-- name: outbox
SELECT w.id, j.id AS job, w.url, w.state, w.tries, w.answer, w.created_at, w.due_at, w.ended_at,
       w.worker IS NOT NULL AS under_way
  FROM webhook w JOIN job j ON j.n = w.job
  WHERE (?1 IS NULL OR w.state = ?1) AND (?2 IS NULL OR j.id = ?2)
  ORDER BY w.job DESC LIMIT ?3

-- name: send_again
UPDATE webhook SET state = 'waiting', due_at = ?, tries = 0, ended_at = NULL
  WHERE id = ? AND worker IS NULL

-- name: slow_down
UPDATE webhook SET due_at = max(due_at, ?)
  WHERE state = 'waiting' AND endpoint = ?

-- name: disable
UPDATE webhook SET state = 'disabled', ended_at = ?, answer = ?
  WHERE state = 'waiting' AND worker IS NULL AND url = ?

-- name: entry
SELECT m.id, m.version, m.media_type, m.title, m.metadata, m.system_name, m.external_id,
       m.created_at, m.updated_at, m.url, m.filled,
       (SELECT id FROM job WHERE n = m.first_job) AS first_job,
       (SELECT id FROM job WHERE n = m.last_job) AS last_job,
       a.media, a.key, a.mime_type, a.width, a.height, a.size, a.sha256,
       a.created_at AS stored_at, m.title AS file_name
  FROM media m JOIN asset a ON a.id = m.asset WHERE

-- name: unread
-- Entries with assets behind one, in the order of these.
SELECT a.id AS number, m.id, m.title, m.metadata, m.external_id, m.system_name, m.media_type,
       m.created_at
  FROM asset a JOIN media m ON m.id = a.media WHERE a.id > ? ORDER BY a.id LIMIT ?

-- name: unread_changes
SELECT c.n AS number, m.id, m.title, m.metadata, m.external_id, m.system_name, m.media_type,
       m.created_at
  FROM media_change c JOIN media m ON m.id = c.media WHERE c.n > ? ORDER BY c.n LIMIT ?

-- name: original
SELECT a.*, a.created_at AS stored_at, m.title AS file_name
  FROM asset a JOIN media m ON m.id = a.media WHERE a.key = ?

-- name: sizes
SELECT {{step}} AS step, count(*) AS entries FROM media m JOIN asset a ON a.id = m.asset
  WHERE m.system_name = ? GROUP BY 1

-- name: next_blobs
SELECT sha256, max(size) AS size FROM asset WHERE sha256 > ?
  GROUP BY sha256 ORDER BY sha256 LIMIT 1000

-- name: enter_asset
INSERT INTO asset (id, media, key, sha256, source_sha256, mime_type, size, created_at,
                   width, height, frames, orientation)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: write_entry
INSERT INTO media (id, system_name, external_id, media_type, title, metadata, filled, request, url,
                   etag, last_modified, asset, created_at, updated_at, first_job, last_job)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE
   SET version = version + 1, media_type = excluded.media_type, title = excluded.title,
       metadata = excluded.metadata, filled = excluded.filled, request = excluded.request,
       url = excluded.url, etag = excluded.etag, last_modified = excluded.last_modified,
       asset = excluded.asset, updated_at = excluded.updated_at, last_job = excluded.last_job

-- name: change_entry
UPDATE media SET metadata = ?, filled = ?, version = version + 1, updated_at = ? WHERE id = ?

-- name: enter_token
INSERT INTO token VALUES (:id, :name, :sha256, :scopes, :created_at, :expires_at, :revoked_at)
