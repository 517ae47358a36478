-- Statements that take what another state file (attached as ``other``) knows, by name; a name in
-- braces stands for an earlier one. Temporary tables say what of it is which here.

-- name: new_engines
SELECT count(DISTINCT target) FROM other.scope WHERE target LIKE 'embedded:%'
  AND target NOT IN (SELECT target FROM main.scope)

-- name: add_scopes
INSERT INTO main.scope (target, label, system_name)
SELECT target, label, system_name FROM other.scope t
WHERE NOT EXISTS (SELECT 1 FROM main.scope m
                  WHERE m.target = t.target AND m.system_name = t.system_name) ORDER BY t.id

-- name: map_scopes
CREATE TEMP TABLE scopes AS
SELECT t.id AS theirs, m.id AS ours FROM other.scope t JOIN main.scope m USING (target, system_name)

-- name: come
-- How far a batch has come.
CASE state WHEN 'intent' THEN 0 WHEN 'started' THEN 1 WHEN 'refused' THEN 2 WHEN 'lost' THEN 3
  WHEN 'failed' THEN 4 ELSE 5 END AS come

-- name: map_known_batches
-- Of two ends that came as far, the one that was seen first is taken.
CREATE TEMP TABLE batches AS
SELECT t.id AS theirs, m.id AS ours, t.come AS their_come, m.come AS our_come,
  (t.come, -coalesce(t.finished_at, 0), t.success, t.skipped, t.failed,
   -coalesce(t.submitted_at, 0), coalesce(t.job_id, ''))
  > (m.come, -coalesce(m.finished_at, 0), m.success, m.skipped, m.failed,
     -coalesce(m.submitted_at, 0), coalesce(m.job_id, '')) AS taken,
  (t.come, coalesce(t.finished_at, 0), t.success, t.skipped, t.failed)
  = (m.come, coalesce(m.finished_at, 0), m.success, m.skipped, m.failed) AS even
FROM (SELECT *, {come} FROM other.batch) t JOIN (SELECT *, {come} FROM main.batch) m USING (key)

-- name: map_new_batches
INSERT INTO temp.batches
SELECT t.id, m.id, 0, NULL, 1, 0 FROM other.batch t JOIN main.batch m USING (key)
WHERE t.id NOT IN (SELECT theirs FROM temp.batches)

-- name: index_batches
CREATE UNIQUE INDEX temp.by_theirs ON batches (theirs)

-- name: strangers
SELECT t.key FROM temp.batches b JOIN other.batch t ON t.id = b.theirs
JOIN main.batch m ON m.id = b.ours JOIN temp.scopes s ON s.theirs = t.scope
WHERE s.ours != m.scope LIMIT 1

-- name: sides
-- Of each image of the other file: is it new here, is its last outcome there the one that counts,
-- and which batch is it under way in. An outcome is as late as the end of its batch, whichever file
-- told that; of one batch the outcome counts of who saw more of its end, then what was found
-- missing since, then a waiver. Under way is what was written down after that, the newest of it.
CREATE TEMP TABLE sides AS
SELECT theirs, scope, external_id, fresh, won, last, CASE
    WHEN their_open IS NULL OR (their_at, their_key) <= (last_at, last_key) THEN our_one
    WHEN our_one IS NULL OR (their_at, their_key) > (our_at, our_key) THEN their_open
    ELSE our_one END AS opened,
  our_one IS NOT NULL AND their_open IS NOT NULL AND our_one != their_open AS both_open
FROM (
  SELECT *, CASE WHEN our_open IS NOT NULL AND (our_at, our_key) > (last_at, last_key)
    THEN our_open END AS our_one
  FROM (
    SELECT *, iif(won, their_last, our_last) AS last,
      coalesce(iif(won, their_last_at, our_last_at), -1) AS last_at,
      coalesce(iif(won, their_last_key, our_last_key), '') AS last_key
    FROM (
      SELECT t.scope AS theirs, s.ours AS scope, t.external_id, m.external_id IS NULL AS fresh,
        CASE WHEN m.external_id IS NULL THEN 1
          WHEN tb.id IS NULL AND mb.id IS NULL
            THEN (t.status IS NOT NULL, coalesce(t.sent, x''))
               > (m.status IS NOT NULL, coalesce(m.sent, x''))
          WHEN tb.id IS mb.id AND NOT x.even THEN x.taken
          WHEN tb.id IS mb.id
            THEN (t.status IS NULL, coalesce(t.waived_at, 0), t.waived_because IS NOT NULL)
               > (m.status IS NULL, coalesce(m.waived_at, 0), m.waived_because IS NOT NULL)
          ELSE (coalesce(tb.finished_at, -1), coalesce(tb.key, ''))
             > (coalesce(mb.finished_at, -1), coalesce(mb.key, '')) END AS won,
        tb.id AS their_last, tb.recorded_at AS their_last_at, tb.key AS their_last_key,
        mb.id AS our_last, mb.recorded_at AS our_last_at, mb.key AS our_last_key,
        ot.id AS their_open, ot.recorded_at AS their_at, ot.key AS their_key,
        om.id AS our_open, om.recorded_at AS our_at, om.key AS our_key
      FROM other.image t JOIN temp.scopes s ON s.theirs = t.scope
      LEFT JOIN main.image m ON m.scope = s.ours AND m.external_id = t.external_id
      LEFT JOIN temp.batches x ON x.theirs = t.last_batch
      LEFT JOIN main.batch tb ON tb.id = x.ours
      LEFT JOIN main.batch mb ON mb.id = m.last_batch
      LEFT JOIN temp.batches y ON y.theirs = t.open_batch
      LEFT JOIN main.batch ot ON ot.id = y.ours AND ot.state IN ('intent', 'started')
      LEFT JOIN main.batch om ON om.id = m.open_batch AND om.state IN ('intent', 'started'))))

-- name: index_sides
CREATE INDEX temp.by_image ON sides (scope, external_id)

-- name: count_sides
SELECT coalesce(sum(fresh), 0), coalesce(sum(won AND NOT fresh), 0), coalesce(sum(both_open), 0)
FROM temp.sides

-- name: held_anew
-- How many outcomes of an image are new here.
CREATE TEMP TABLE held_anew AS
SELECT t.scope AS theirs, a.external_id, count(*) AS times
FROM temp.batches b JOIN other.batch t ON t.id = b.theirs JOIN other.attempt a ON a.batch = t.id
WHERE b.taken AND coalesce(b.our_come, 0) < 2 GROUP BY t.scope, a.external_id

-- name: index_held
CREATE INDEX temp.by_held ON held_anew (theirs, external_id)

-- name: both_images
FROM temp.sides d
JOIN other.image t ON t.scope = d.theirs AND t.external_id = d.external_id
LEFT JOIN main.image m ON m.scope = d.scope AND m.external_id = d.external_id
LEFT JOIN temp.held_anew h ON h.theirs = d.theirs AND h.external_id = d.external_id

-- name: none_open
-- Of batches that have ended no image is under way, also none that the other file does not know.
UPDATE main.image SET open_batch = NULL, pending = NULL WHERE open_batch IN
  (SELECT b.ours FROM temp.batches b JOIN main.batch m ON m.id = b.ours
   WHERE b.taken AND m.state NOT IN ('intent', 'started'))

-- name: drop_attempts
DELETE FROM main.attempt WHERE batch IN
  (SELECT ours FROM temp.batches WHERE taken AND our_come IS NOT NULL)

-- name: drop_kept
DELETE FROM main.kept WHERE EXISTS (SELECT 1 FROM temp.sides d
  WHERE d.won AND d.scope = kept.scope AND d.external_id = kept.external_id)

-- name: add_kept
INSERT INTO main.kept (scope, external_id, packed) SELECT d.scope, k.external_id, k.packed
FROM temp.sides d JOIN other.kept k ON k.scope = d.theirs AND k.external_id = d.external_id
WHERE d.won

-- name: later_verifying
FROM other.verifying t JOIN temp.scopes s ON s.theirs = t.scope
LEFT JOIN main.verifying m ON m.scope = s.ours
WHERE m.scope IS NULL OR
  (coalesce((SELECT max(at) FROM other.verification v WHERE v.scope = t.scope), 0), t.round, t.ended)
  > (coalesce((SELECT max(at) FROM main.verification v WHERE v.scope = m.scope), 0), m.round, m.ended)

-- name: later_verifications
FROM other.verification t JOIN temp.scopes s ON s.theirs = t.scope
LEFT JOIN main.verification m ON m.scope = s.ours AND m.external_id = t.external_id
WHERE m.scope IS NULL OR t.at > m.at

-- name: later_refusals
FROM other.refusal t LEFT JOIN main.refusal m ON m.target = t.target
WHERE m.target IS NULL OR t.at > m.at
