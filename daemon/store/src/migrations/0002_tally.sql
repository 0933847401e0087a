-- Schema 2: what became of the readings that were to come, per meter and civil month.

-- month: 2025-03, as whoever counts it sees it. what: a word of the loss budget.
CREATE TABLE tally (
    meter TEXT NOT NULL,
    month TEXT NOT NULL,
    what TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (meter, month, what)
) STRICT, WITHOUT ROWID;

-- Up to which instant the readings expected of a meter are in the tally.
CREATE TABLE tally_until (
    meter TEXT NOT NULL PRIMARY KEY,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
