-- Schema 3: the archive's manifest. Frozen: a later need is a later migration.

-- One row a file. The newest generation of a month is the one that is read.
-- A month's rows leave the journal some time after its file came in, up to dropped_ms (NULL until then).
CREATE TABLE archive_file (
    month TEXT NOT NULL,
    generation INTEGER NOT NULL,
    name TEXT NOT NULL UNIQUE,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 BLOB NOT NULL,
    written_ms INTEGER NOT NULL,
    dropped_ms INTEGER,
    PRIMARY KEY (month, generation)
) STRICT, WITHOUT ROWID;
CREATE INDEX archive_file_span ON archive_file (to_ms);
