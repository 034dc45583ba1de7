-- flowlet's tables, version 2: variables and connections.
--
-- Their values stand here as they are; who may read the file may read them.

CREATE TABLE secret (
    kind TEXT NOT NULL CHECK (kind IN ('variable', 'connection')),
    name TEXT NOT NULL CHECK (name <> ''),
    value TEXT NOT NULL,
    description TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
