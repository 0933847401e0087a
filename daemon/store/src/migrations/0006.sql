-- Schema 6: accounts, and the secrets that open them. Frozen: a later need is a later migration.

-- `body` is whoever made it: name, roles, hash of the password. Former versions are not kept: an old hash serves nobody.
CREATE TABLE account (
    id TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Sessions, tokens and one-time links: the digest of what the holder shows, never that itself.
CREATE TABLE ticket (
    sha256 BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    body TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ticket_of_account ON ticket (account, kind);

-- What an audit entry about an account says besides its action; the entry holds its digest.
CREATE TABLE account_event (
    audit INTEGER PRIMARY KEY REFERENCES audit (seq),
    detail TEXT NOT NULL
) STRICT;

-- Grows with every change above, so that a process that keeps them in memory sees that another changed them.
INSERT INTO counter (name, value) VALUES ('access_changes', 0);
