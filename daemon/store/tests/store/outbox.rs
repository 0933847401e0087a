//! The outbox: every new reading once, in order of commits, kept until each engine has accepted it.
//!
//! Must never: depend on when the store puts readings down in chunks.

use model::{Instant, Reading};
use store::{OutboxBlock, OutboxStatus, Store, StoreOptions};

use crate::support::{all, energy, gauge, minutes, opened, stranger, total, voltage};

fn readings(blocks: &[OutboxBlock]) -> Vec<Reading> {
    blocks.iter().flat_map(|block| block.readings.clone()).collect()
}

fn intake_rows(directory: &std::path::Path) -> i64 {
    stranger(directory).query_row("SELECT count(*) FROM intake", [], |row| row.get(0)).unwrap()
}

#[test]
fn an_engine_gets_what_came_after_it_and_keeps_it_until_accepted() {
    let (dir, store) = opened();
    let (power, volts) = (energy("boiler-1"), voltage("boiler-1"));
    store.append_blocking(minutes(&power, 3)).unwrap();
    let start = store.outbox_register("lake").unwrap();
    assert_eq!(store.outbox_after(start, 100).unwrap(), []);
    let new = vec![total(&power, 600, 2_000), gauge(&volts, 600, 229.5)];
    store.append_blocking(new.clone()).unwrap();
    // A duplicate and a conflict are no new readings.
    store.append_blocking(vec![total(&power, 600, 2_000), total(&power, 0, 7)]).unwrap();
    store.append_blocking(vec![total(&power, -60, 900)]).unwrap();
    let blocks = store.outbox_after(start, 100).unwrap();
    let wanted = [new, vec![total(&power, -60, 900)]].concat();
    assert_eq!(readings(&blocks), wanted);
    assert_eq!(store.outbox_after(start, 1).unwrap(), blocks[..1], "one block at least");
    let status = store.outbox_status("lake").unwrap().unwrap();
    let OutboxStatus { pending_readings, pending_blocks, oldest, .. } = status;
    assert_eq!((pending_readings, pending_blocks), (3, 2));
    assert_eq!(oldest, Some(Instant::from_millis(600_040)));

    store.fold().unwrap();
    store.close();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    assert_eq!(readings(&store.outbox_after(start, 100).unwrap()), wanted);
    assert_eq!(store.outbox_register("lake").unwrap(), start, "its place is kept");
    store.outbox_accepted("lake", blocks[0].seq).unwrap();
    assert_eq!(intake_rows(dir.path()), 1);
    store.outbox_accepted("lake", start).unwrap();
    assert_eq!(store.outbox_after(blocks[0].seq, 100).unwrap(), blocks[1..]);
    store.outbox_accepted("lake", blocks[1].seq).unwrap();
    let status = store.outbox_status("lake").unwrap().unwrap();
    assert_eq!(status, OutboxStatus { accepted_seq: blocks[1].seq, ..OutboxStatus::default() });
    assert_eq!((intake_rows(dir.path()), all(&store, &power).len()), (0, 5));
    // Numbers go on after all rows are gone.
    store.append_blocking(vec![total(&power, 900, 3_000)]).unwrap();
    assert!(blocks[1].seq < store.outbox_after(blocks[1].seq, 1).unwrap()[0].seq);
}

#[test]
fn a_block_stays_for_the_slowest_engine_and_goes_with_the_last() {
    let (dir, store) = opened();
    let series = energy("boiler-1");
    let start = store.outbox_register("lake").unwrap();
    store.outbox_register("hub").unwrap();
    store.append_blocking(minutes(&series, 3)).unwrap();
    store.fold().unwrap();
    store.outbox_accepted("hub", start + 1).unwrap();
    assert_eq!(intake_rows(dir.path()), 1);
    assert_eq!(store.outbox_engines().unwrap(), ["hub", "lake"]);
    assert!(store.outbox_forget("lake").unwrap());
    assert!(!store.outbox_forget("lake").unwrap());
    assert_eq!((intake_rows(dir.path()), store.outbox_status("lake").unwrap()), (0, None));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let (_dir, store) = opened();
    let start = store.outbox_register("lake").unwrap();
    for (error, says) in [
        (store.outbox_register("").unwrap_err(), "1 to 64 bytes"),
        (
            store.outbox_accepted("hub", start).unwrap_err(),
            "the engine hub accepted was refused: it has no place",
        ),
        (store.outbox_accepted("lake", start + 1).unwrap_err(), "beyond the end of the intake"),
    ] {
        assert!(error.to_string().contains(says), "{error}");
    }
    for n in 1..16 {
        store.outbox_register(&format!("engine-{n}")).unwrap();
    }
    let error = store.outbox_register("one-more").unwrap_err();
    assert!(error.to_string().contains("forget one that is gone"), "{error}");
}
