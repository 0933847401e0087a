//! The journal: every reading as it came, and what people declared, in one SQLite file on a local disk.
//!
//! One writer thread commits groups of appends with `synchronous=FULL`; an append is answered only
//! when its readings are on disk. Readers have connections of their own and never hold the writer up.
//! The first value of an identity (series, observed at, origin) stays the truth; another value under
//! the same identity is kept aside as a conflict. Values from files and records keep every former
//! version, and each change of them is a link of a hash chain.
//!
//! Calls without `async` block on the disk: from async code, run them on a blocking thread.
//!
//! Must never: interpret a value, read a clock for data, acknowledge what is not on disk, or change
//! or drop a reading once acknowledged, but for old gauges that somebody asked to be thinned.

mod accounts;
mod alarms;
mod archive;
mod audit;
mod backup;
mod changes;
mod chunks;
mod codec;
mod codes;
mod documents;
pub mod engine;
mod error;
mod filed;
mod finer;
mod fold;
mod imports;
mod lock;
mod lookup;
mod memory;
mod months;
mod options;
mod outbox;
mod private;
mod quarantine;
mod reader;
mod recent;
mod records;
mod results;
mod retention;
mod row;
mod schema;
mod series;
mod settle;
mod stats;
mod store;
mod tally;
mod upgrade;
mod verify;
mod weather;
mod writer;

pub use accounts::{
    ACCOUNT_KIND, ACCOUNTS_MAX, AccessChange, AccessEvent, KeptAccess, KeptAccount, TICKETS_MAX, Ticket,
};
pub use alarms::StoredAlarm;
pub use archive::ARCHIVE_FOLDER;
pub use archive::manifest::ArchivedMonth;
pub use audit::{AuditBreak, AuditEntry, AuditHead};
pub use backup::{BACKUP_LIST, Copied, restore, verify_backup};
pub use changes::ChangedSpan;
pub use documents::{DOCUMENTS_FOLDER, KEPT_BYTES_MAX};
pub use error::StoreError;
pub use finer::Clash;
pub use imports::{ImportCount, ImportNote};
pub use lock::LOCK_FILE;
pub use memory::Remembered;
pub use options::{CommitObserver, StoreOptions};
pub use outbox::{OutboxBlock, OutboxStatus};
pub use quarantine::{QuarantineFilter, Quarantined, QuarantinedItem};
pub use reader::{Conflict, StoredReading};
pub use records::{FirstChange, Record, RecordChange};
pub use results::KeptResult;
pub use retention::{HeldSpan, Thinned, Thinning};
pub use schema::{JOURNAL_FILE, SCHEMA_VERSION};
pub use stats::StoreStats;
pub use store::{Appended, Store};
pub use tally::{Counted, Tallies, Tally};
pub use verify::Verified;
