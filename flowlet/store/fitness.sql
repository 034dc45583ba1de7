-- Whose database it is and of which version; who owns it.

-- name: application
PRAGMA application_id;

-- name: version
PRAGMA user_version;

-- name: birth
-- The mark by which the sequence file beside a database knows its own.
INSERT INTO owner (id, birth, epoch, seq) VALUES (1, lower(hex(randomblob(8))), 0, 0);

-- name: owner
SELECT birth, epoch, seq FROM owner;

-- name: mark
SELECT birth, seq FROM owner;

-- name: take_over
UPDATE owner SET epoch = epoch + 1, seq = seq + 1, pid = ?1, host = ?2, since = ?3;
