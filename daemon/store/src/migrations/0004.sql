-- Schema 4: readings in blocks and chunks instead of rows. Frozen: a later need is a later migration.
-- docs/store.md describes the bodies. The rows of `reading` become chunks in the same transaction.

-- One row a commit: its new readings, of any series. Rows up to the counter `folded_seq` stand in chunks as well and
-- wait only for the engines of `outbox`. AUTOINCREMENT: a number once given is never given again.
CREATE TABLE intake (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    readings INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    first_received_ms INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- Readings of one series, within one month of UTC. Chunks may overlap; no identity stands in two.
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX chunk_of_series ON chunk (series, first_ms, last_ms, readings);

-- The latest instant there ever was of a series and origin, archived readings included, up to `folded_seq`.
CREATE TABLE series_edge (
    series INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (series, origin)
) STRICT, WITHOUT ROWID;

-- The number of the intake that last changed a series within a month of UTC, counted from January 1970 = 0.
CREATE TABLE series_month (
    series INTEGER NOT NULL,
    month INTEGER NOT NULL,
    changed_seq INTEGER NOT NULL,
    PRIMARY KEY (series, month)
) STRICT, WITHOUT ROWID;

-- Engines outside that take readings from the intake, each with the last number it has accepted.
CREATE TABLE outbox (
    name TEXT NOT NULL PRIMARY KEY,
    accepted_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Spans of series that somebody refers to: nothing of them is thinned.
CREATE TABLE hold (
    name TEXT NOT NULL,
    series INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    PRIMARY KEY (name, series, from_ms, to_ms)
) STRICT, WITHOUT ROWID;

INSERT INTO counter (name, value) VALUES ('folded_seq', 0);
