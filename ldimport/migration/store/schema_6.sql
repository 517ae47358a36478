-- images are listed in the order of their manifest, also those of one outcome or cause, without
-- sorting all of them
CREATE INDEX image_row ON image (scope, row);
CREATE INDEX image_outcome
  ON image (scope, CASE WHEN waived_at IS NULL THEN status ELSE 'waived' END, row)
  WHERE CASE WHEN waived_at IS NULL THEN status ELSE 'waived' END IS NOT NULL;
DROP INDEX image_failed;
CREATE INDEX image_cause ON image (scope, cause, row) WHERE cause IS NOT NULL;
