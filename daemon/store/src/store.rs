//! The handle on the store: opening, appending, closing. Cheap to clone.
//!
//! Must never: let two daemons work on one directory, or lose what it has accepted when it is dropped.

use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};

use model::quantity::Kind;
use model::{Reading, SeriesKey, Value};
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use crate::archive::Archive;
use crate::error::{Fault, StoreError};
use crate::lock::DaemonLock;
use crate::options::StoreOptions;
use crate::quarantine::{self, Quarantined};
use crate::reader::Readers;
use crate::recent::{Agreement, Recent, SharedRecent};
use crate::schema::{self, Opener};
use crate::stats::{Counters, StoreStats};
use crate::tally::Counted;
use crate::writer::{Append, Job, Shared, Writer};

/// Payload bytes that take the room of one reading in the queue.
const PAYLOAD_BYTES_PER_ROOM: usize = 64;

/// What became of appended readings; the three add up to how many there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appended {
    pub new: u64,
    /// Already there with the same value: nothing changed.
    pub duplicate: u64,
    /// Already there with another value: that one stays, this one is kept aside.
    pub conflicting: u64,
}

impl std::ops::AddAssign for Appended {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.duplicate += other.duplicate;
        self.conflicting += other.conflicting;
    }
}

/// The journal and people's records of one installation. Clones share everything.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    thread: Mutex<Option<JoinHandle<()>>>,
    readers: Readers,
    lock: Mutex<Option<DaemonLock>>,
}

impl Store {
    /// Opens the store for the daemon, making directory and database as needed, and holds the
    /// directory's lock until closed.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another daemon has it, [`StoreError::NewerSchema`] and
    /// [`StoreError::NotAJournal`] for a file that is not to be touched; the file system's and database's own.
    pub fn open(directory: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let path = schema::prepare_directory(directory)?;
        let lock = DaemonLock::take(directory)?;
        Self::start(&path, options, Opener::Daemon, Some(lock))
    }

    /// Opens the store for a short command that may run beside the daemon.
    ///
    /// # Errors
    /// As [`Store::open`], but for [`StoreError::InUse`]; [`StoreError::UpgradeBlocked`] when an older
    /// daemon works on the directory.
    pub fn open_shared(directory: &Path) -> Result<Self, StoreError> {
        Self::open_shared_with(directory, StoreOptions::default())
    }

    /// As [`Store::open_shared`], with other limits than the usual ones.
    pub fn open_shared_with(directory: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let path = schema::prepare_directory(directory)?;
        Self::start(&path, options, Opener::Shared, None)
    }

    fn start(
        path: &Path,
        options: StoreOptions,
        opener: Opener,
        lock: Option<DaemonLock>,
    ) -> Result<Self, StoreError> {
        let options = options.within_bounds();
        let mut conn = schema::open_writer(path, &options)?;
        schema::upgrade(&mut conn, path, opener)?;
        let occupancy = quarantine::occupancy(&conn).map_err(|f| f.at(path, "read the quarantine"))?;
        let counters = Counters::default();
        counters.quarantine_items.store(occupancy.items.unsigned_abs(), Relaxed);
        counters.quarantine_dropped.store(occupancy.dropped.unsigned_abs(), Relaxed);
        let readers = Readers::new(path.to_owned(), options.busy_timeout, options.reader_connections_max);
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            opener,
            room: Semaphore::new(options.queue_readings_max as usize),
            counters,
            failing: Mutex::new(None),
            archive: Archive::beside(path),
            recent: SharedRecent::default(),
            ended: AtomicBool::new(false),
            quota_bytes: AtomicU64::new(options.journal_bytes_max.unwrap_or(0)),
            options,
        });
        // What cannot be read back is said now, not with the first reading.
        shared.recent.lock().agree(&conn).map_err(|f| f.at(path, "read the intake"))?;
        let (jobs, inbox) = mpsc::channel();
        let writer = Writer::new(Arc::clone(&shared), conn);
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run(&inbox))
            .map_err(|e| StoreError::Files {
                path: path.to_owned(),
                attempt: "start the writer of",
                source: Arc::new(e),
            })?;
        let inner = Inner { shared, jobs, thread: Mutex::new(Some(thread)), readers, lock: Mutex::new(lock) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Journals readings; answers when they are on disk. Waits for room while the queue is full.
    ///
    /// More readings than one commit takes are journalled in several; after an error some of them may
    /// be on disk, and appending all of them again is safe. Dropping the future does not call back
    /// what was already accepted.
    ///
    /// # Errors
    /// [`StoreError::Refused`] (nothing was written) for a gauge that is not finite, a total where the
    /// quantity is a gauge or the other way round, instants out of range; the database's own, see
    /// [`StoreError::is_retryable`].
    pub async fn append(&self, readings: Vec<Reading>) -> Result<Appended, StoreError> {
        self.append_counted(readings, Vec::new()).await
    }

    /// As [`Store::append`]; readings with an entry in `counted` (by position) are counted in the tally of their
    /// meter within the same transaction. Duplicates are not counted.
    pub async fn append_counted(
        &self,
        readings: Vec<Reading>,
        counted: Vec<Option<Counted>>,
    ) -> Result<Appended, StoreError> {
        readings.iter().try_for_each(check)?;
        let most = self.inner.shared.options.commit_readings_max as usize;
        if readings.len() <= most {
            if readings.is_empty() {
                return Ok(Appended::default());
            }
            let answer = self.accept(readings, counted).await?;
            return answer.await.unwrap_or_else(|_| Err(self.inner.shared.unanswered()));
        }
        let mut replies = Vec::new();
        let mut outcome = Ok(Appended::default());
        let mut rest = readings.into_iter();
        let mut counts = counted.into_iter();
        loop {
            let chunk: Vec<Reading> = rest.by_ref().take(most).collect();
            if chunk.is_empty() {
                break;
            }
            let counted = counts.by_ref().take(chunk.len()).collect();
            match self.accept(chunk, counted).await {
                Ok(reply) => replies.push(reply),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        for reply in replies {
            let settled = reply.await.unwrap_or_else(|_| Err(self.inner.shared.unanswered()));
            match (&mut outcome, settled) {
                (Ok(sum), Ok(one)) => *sum += one,
                (Ok(_), Err(error)) => outcome = Err(error),
                (Err(_), _) => {}
            }
        }
        outcome
    }

    async fn accept(
        &self,
        readings: Vec<Reading>,
        counted: Vec<Option<Counted>>,
    ) -> Result<oneshot::Receiver<Result<Appended, StoreError>>, StoreError> {
        let shared = &self.inner.shared;
        // The writer gives the room back when the readings are settled.
        let room = shared.room.acquire_many(readings.len() as u32).await.map_err(|_| shared.closed())?;
        room.forget();
        let waiting = readings.len() as u64;
        shared.counters.waiting.fetch_add(waiting, Relaxed);
        let (reply, answer) = oneshot::channel();
        self.inner.jobs.send(Job::Append(Append { readings, counted, reply })).map_err(|_| {
            shared.counters.waiting.fetch_sub(waiting, Relaxed);
            shared.closed()
        })?;
        Ok(answer)
    }

    /// As [`Store::append`], for threads without a runtime; blocks the thread.
    pub fn append_blocking(&self, readings: Vec<Reading>) -> Result<Appended, StoreError> {
        wait_for(self.append(readings))
    }

    /// As [`Store::append_counted`], for threads without a runtime; blocks the thread.
    pub fn append_counted_blocking(
        &self,
        readings: Vec<Reading>,
        counted: Vec<Option<Counted>>,
    ) -> Result<Appended, StoreError> {
        wait_for(self.append_counted(readings, counted))
    }

    /// Keeps a payload that is no reading; answers when it is on disk. The oldest beyond the
    /// quarantine's bounds are dropped and counted in [`StoreStats::quarantine_dropped`].
    pub async fn quarantine(&self, mut item: Quarantined) -> Result<(), StoreError> {
        let room = item.payload.len() / PAYLOAD_BYTES_PER_ROOM + 1;
        item.payload.shrink_to_fit();
        self.ask(room, |room, reply| Job::Quarantine { item, room, reply }).await
    }

    /// Waits for room, gives the writer a job that goes into a commit with others, and waits for its answer.
    pub(crate) async fn ask(
        &self,
        room: usize,
        job: impl FnOnce(u32, oneshot::Sender<Result<(), StoreError>>) -> Job,
    ) -> Result<(), StoreError> {
        let shared = &self.inner.shared;
        let room = room.min(shared.options.commit_readings_max as usize) as u32;
        shared.room.acquire_many(room).await.map_err(|_| shared.closed())?.forget();
        let (reply, answer) = oneshot::channel();
        self.inner.jobs.send(job(room, reply)).map_err(|_| shared.closed())?;
        answer.await.unwrap_or_else(|_| Err(shared.unanswered()))
    }

    /// As [`Store::quarantine`], for threads without a runtime; blocks the thread.
    pub fn quarantine_blocking(&self, item: Quarantined) -> Result<(), StoreError> {
        wait_for(self.quarantine(item))
    }

    /// The moment's figures; costs two looks at the file system and no query.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        let shared = &self.inner.shared;
        let size = |suffix: &str| {
            let mut name = shared.path.clone().into_os_string();
            name.push(suffix);
            fs::metadata(name).map_or(0, |meta| meta.len())
        };
        let failing = shared.failing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        StoreStats { failing, bytes_on_disk: size("") + size("-wal"), ..shared.counters.snapshot() }
    }

    /// Sets or lifts the bound on the database file, from the next commit on. A bound below the
    /// file's size stops growth; it does not shrink the file.
    pub fn set_journal_bytes_max(&self, bytes: Option<u64>) {
        self.inner.shared.quota_bytes.store(bytes.unwrap_or(0), Relaxed);
    }

    /// Finishes everything accepted, then closes the database and frees the daemon's lock. Calls on
    /// other clones fail with [`StoreError::Closed`] from then on, but for reading.
    pub fn close(self) {
        self.inner.shut();
    }

    /// The folder that holds everything.
    pub(crate) fn directory(&self) -> &Path {
        self.inner.shared.path.parent().unwrap_or(Path::new(""))
    }

    pub(crate) fn opener(&self) -> Opener {
        self.inner.shared.opener
    }

    pub(crate) fn archive(&self) -> &Archive {
        &self.inner.shared.archive
    }

    /// The error of a call that the store can answer no more.
    pub(crate) fn closed(&self) -> StoreError {
        self.inner.shared.closed()
    }

    /// The limits in force.
    pub(crate) fn options(&self) -> &StoreOptions {
        &self.inner.shared.options
    }

    pub(crate) fn read<T>(
        &self,
        attempt: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.inner.readers.read(attempt, work)
    }

    /// Runs `look` on the readings that stand in no chunk yet, then `work` on the database of the same moment.
    ///
    /// The writer waits while `look` runs, so it only copies; nobody waits for `work`.
    pub(crate) fn view<A, T>(
        &self,
        attempt: &'static str,
        look: impl Fn(&mut Recent, &Connection) -> Result<A, Fault>,
        work: impl Fn(&Connection, A) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.read(attempt, |conn| {
            loop {
                let snapshot = conn.unchecked_transaction()?;
                let looked = {
                    let mut recent = self.inner.shared.recent.lock();
                    match recent.agree(&snapshot)? {
                        Agreement::Same => look(&mut recent, &snapshot)?,
                        // A folding came between the snapshot and the look.
                        Agreement::SnapshotIsOlder => continue,
                    }
                };
                return work(&snapshot, looked);
            }
        })
    }

    /// Puts what came in since the last time down in chunks. The writer does so by itself when enough has come.
    ///
    /// # Errors
    /// The database's own; nothing changed.
    pub fn fold(&self) -> Result<(), StoreError> {
        let (reply, answer) = mpsc::sync_channel(1);
        let task = move |writer: &mut Writer| {
            reply.send(writer.fold()).ok();
        };
        let shared = &self.inner.shared;
        self.inner.jobs.send(Job::Task(Box::new(task))).map_err(|_| shared.closed())?;
        answer.recv().unwrap_or_else(|_| Err(shared.unanswered()))
    }

    /// Runs `work` in a transaction on the writer's thread and waits until it is on disk.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        attempt: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = mpsc::sync_channel(1);
        let task = move |writer: &mut Writer| {
            reply.send(writer.transaction(attempt, |conn, _| work(conn))).ok();
        };
        let shared = &self.inner.shared;
        self.inner.jobs.send(Job::Task(Box::new(task))).map_err(|_| shared.closed())?;
        answer.recv().unwrap_or_else(|_| Err(shared.unanswered()))
    }
}

impl Inner {
    fn shut(&self) {
        let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        self.readers.close_idle();
        // Whoever still waits for room has not been accepted.
        self.shared.room.close();
        self.jobs.send(Job::Close).ok();
        let own = thread.thread().id() == thread::current().id();
        if !own && thread.join().is_err() {
            tracing::error!(path = %self.shared.path.display(), "the store's writer ended by a panic");
        }
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shut();
    }
}

/// Refuses what the table cannot hold, before it is accepted.
fn check(reading: &Reading) -> Result<(), StoreError> {
    let says = match (reading.series.channel.quantity.kind(), reading.value) {
        (Kind::Total, Value::Gauge(_)) => "a total is an integer in the smallest unit",
        (Kind::Gauge, Value::Total(_)) => "a gauge is a real number",
        (Kind::Gauge, Value::Gauge(v)) if !v.is_finite() => "its value is not finite",
        _ if reading.received_at.millis().checked_sub(reading.observed_at.millis()).is_none() => {
            "its instants are out of range"
        }
        _ => return Ok(()),
    };
    let SeriesKey { meter, channel } = &reading.series;
    Err(StoreError::refused(format!("the reading of {meter} {channel} at {}", reading.observed_at), says))
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future that needs no runtime, on any thread. Tokio's own blocking calls panic on a
/// thread of a runtime; this one only blocks it. Unconstrained, because a task's spent budget would
/// otherwise put the wake-up behind the very task that is blocked here.
fn wait_for<F: Future>(future: F) -> F::Output {
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Channel, MeterId, Origin, Quality, Quantity};

    use super::*;

    #[test]
    fn a_panic_of_the_writer_is_an_error_and_not_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let meter = MeterId::new("boiler-1").unwrap();
        let reading = |second| Reading {
            series: SeriesKey { meter: meter.clone(), channel: Channel::total(Quantity::ActiveEnergyImport) },
            observed_at: model::Instant::from_seconds(second),
            received_at: model::Instant::from_seconds(second),
            value: Value::Total(second),
            quality: Quality::Good,
            origin: Origin::Modbus,
        };
        store.append_blocking(vec![reading(1)]).unwrap();
        let recent = Arc::clone(&store.inner.shared);
        let error = store
            .write("break", move |conn| -> Result<(), Fault> {
                conn.execute_batch("DELETE FROM intake")?;
                let _held = recent.recent.lock();
                panic!("a fault of the program")
            })
            .unwrap_err();
        assert!(matches!(error, StoreError::WriterFailed { .. }) && error.is_retryable(), "{error}");
        // What was half done is not there, and what came before is known.
        assert_eq!(store.append_blocking(vec![reading(1), reading(2)]).unwrap().duplicate, 1);
        let stats = store.stats();
        assert_eq!((stats.writer_panics, stats.queue_depth), (1, 0));
        let clone = store.clone();
        store.close();
        let error = clone.append_blocking(vec![reading(3)]).unwrap_err();
        assert!(matches!(error, StoreError::Closed { .. }), "{error}");
    }
}
