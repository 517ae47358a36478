-- Statements of the report on an archive, by name; a name in braces stands for an earlier one.

-- name: place
-- Host and port of an address as it stands there; nothing of a file below a folder.
CASE WHEN substr(source_url, 1, 8) = 'https://'
    THEN substr(source_url, 9, instr(substr(source_url, 9) || '/', '/') - 1)
  WHEN substr(source_url, 1, 7) = 'http://'
    THEN substr(source_url, 8, instr(substr(source_url, 8) || '/', '/') - 1) END

-- name: images
-- Every image in one pass over the table, in groups; those of one place follow each other. Sides
-- in steps, all of which lie in one bin: each pixel on its own would make groups by the thousand.
SELECT {place} AS place, max(width, height) / :step AS side, mime_type,
  CASE WHEN open_batch IS NOT NULL THEN 'pending' WHEN status IS NULL THEN 'unsubmitted'
    WHEN waived_at IS NOT NULL THEN 'waived' ELSE status END AS outcome, count(*) AS images
FROM image NOT INDEXED WHERE scope = :archive GROUP BY 1, 2, 3, 4 ORDER BY 1

-- name: course
SELECT count(DISTINCT manifest_path) AS manifests, count(job_id) AS jobs, total(state = 'lost') AS lost, total(state = 'failed') AS failed,
  total(state = 'refused') AS refused, min(submitted_at) AS first_at,
  max(submitted_at) AS last_at, min(finished_at) AS first_end, max(finished_at) AS last_end
FROM batch WHERE scope = ?

-- name: ends
SELECT CAST((finished_at - :since) / :each AS INTEGER) AS n, sum(success) AS success,
  sum(skipped) AS skipped, sum(failed) AS failed
FROM batch WHERE scope = :archive AND finished_at IS NOT NULL GROUP BY 1 ORDER BY 1

-- name: manifests
SELECT manifest AS name, manifest_path AS path, count(*) AS batches, sum(images) AS images,
  min(recorded_at) AS first_at, max(recorded_at) AS last_at
FROM batch WHERE scope = ? GROUP BY manifest_path, manifest ORDER BY first_at, path LIMIT 100

-- name: looks
SELECT outcome, count(*) AS images, min(at) AS first_at, max(at) AS last_at
FROM verification WHERE scope = ? AND round = ? GROUP BY outcome

-- name: sizes
SELECT {{step}} AS step, count(*) AS images FROM verification
WHERE scope = ? AND size IS NOT NULL GROUP BY 1

-- name: next_arrived
-- From an index alone, so many images on in the order of their rows.
SELECT row, external_id FROM image WHERE scope = :archive
  AND CASE WHEN waived_at IS NULL THEN status ELSE 'waived' END = :status
  AND (row, external_id) > (:row, :id) ORDER BY row, external_id LIMIT 1 OFFSET :skip

-- name: pictures
SELECT external_id, row, coalesce(title, file_name, '') AS title, url, original_url, source_url
FROM image WHERE scope = ? AND external_id IN (SELECT value FROM json_each(?))
ORDER BY row, external_id
