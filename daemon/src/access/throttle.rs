//! How often somebody may be wrong: per account and per address, with waits that grow.
//!
//! Must never: grow without bound, or lock an account for good: that would be a way to lock everybody out.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use model::Instant;

/// Failures of an account before it has to wait.
const ACCOUNT_FREE: u32 = 5;
/// Failures from an address before it has to wait: several people may sit behind one.
const ADDRESS_FREE: u32 = 20;
/// The first wait in seconds; each further failure doubles it.
const WAIT_FIRST_S: u32 = 30;
const WAIT_MAX_S: u32 = 3_600;
/// Failures are forgotten after so long without another, in seconds.
const FORGET_S: f64 = 7_200.0;
/// Names and addresses that are remembered; of more, those longest quiet are forgotten first.
const KEYS_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Failures by account name (known or not: who is wrong often about a name that is none waits as well) and by address.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    accounts: HashMap<String, Failures>,
    addresses: HashMap<IpAddr, Failures>,
}

/// What a failure brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noted {
    /// The account's failures so far.
    pub(super) count: u32,
    /// With this one the account has to wait for the first time.
    pub(super) locks: bool,
}

impl Throttle {
    /// How many seconds an attempt has to wait; `None` when it need not.
    pub(super) fn wait(&self, account: &str, address: IpAddr, now: Instant) -> Option<u32> {
        let account = self.accounts.get(account).and_then(|f| left(*f, ACCOUNT_FREE, now));
        let address = self.addresses.get(&network(address)).and_then(|f| left(*f, ADDRESS_FREE, now));
        account.max(address)
    }

    pub(super) fn failed(&mut self, account: &str, address: IpAddr, now: Instant) -> Noted {
        let count = note(&mut self.accounts, account.to_owned(), now);
        note(&mut self.addresses, network(address), now);
        Noted { count, locks: count == ACCOUNT_FREE }
    }

    /// The account's failures are forgotten; the address keeps its own: one good account must not buy guesses at others.
    pub(super) fn succeeded(&mut self, account: &str) {
        self.accounts.remove(account);
    }
}

/// Whoever has one IPv6 address has 2⁶⁴ of them (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn left(failures: Failures, free: u32, now: Instant) -> Option<u32> {
    let over = failures.count.checked_sub(free)?;
    let wait = WAIT_FIRST_S.saturating_mul(2_u32.saturating_pow(over)).min(WAIT_MAX_S);
    let passed = now.seconds_since(failures.last);
    // A clock that was set back makes nobody wait longer than the longest wait.
    let left = (f64::from(wait) - passed).clamp(0.0, f64::from(WAIT_MAX_S)).ceil();
    (0.0 < left).then_some(left as u32)
}

fn note<K: Eq + Hash + Clone>(map: &mut HashMap<K, Failures>, key: K, now: Instant) -> u32 {
    if KEYS_MAX <= map.len() && !map.contains_key(&key) {
        map.retain(|_, f| now.seconds_since(f.last) < FORGET_S);
        if KEYS_MAX <= map.len()
            && let Some(oldest) = map.iter().min_by_key(|(_, f)| f.last).map(|(k, _)| k.clone())
        {
            map.remove(&oldest);
        }
    }
    let failures = map.entry(key).or_insert(Failures { count: 0, last: now });
    if FORGET_S <= now.seconds_since(failures.last) {
        failures.count = 0;
    }
    failures.count = failures.count.saturating_add(1);
    failures.last = now;
    failures.count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_seconds(1_800_000_000 + seconds)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_sixth_guess_waits_and_waits_grow_to_an_hour() {
        let mut throttle = Throttle::default();
        let here = ip("198.51.100.7");
        for n in 1..ACCOUNT_FREE {
            assert_eq!(throttle.failed("rosa", here, at(0)), Noted { count: n, locks: false });
            assert_eq!(throttle.wait("rosa", here, at(0)), None);
        }
        assert!(throttle.failed("rosa", here, at(0)).locks);
        assert_eq!(throttle.wait("rosa", here, at(0)), Some(30));
        assert_eq!(throttle.wait("rosa", ip("203.0.113.1"), at(29)), Some(1), "from anywhere");
        assert_eq!(throttle.wait("rosa", here, at(30)), None);
        assert_eq!(throttle.wait("elsa", here, at(0)), None, "another account is not locked");
        assert!(!throttle.failed("rosa", here, at(30)).locks, "said once");
        assert_eq!(throttle.wait("rosa", here, at(30)), Some(60));
        for _ in 0..20 {
            throttle.failed("rosa", here, at(30));
        }
        assert_eq!(throttle.wait("rosa", here, at(30)), Some(3_600));
        throttle.succeeded("rosa");
        assert_eq!(throttle.wait("rosa", ip("203.0.113.1"), at(30)), None);
    }

    #[test]
    fn an_address_that_tries_many_accounts_waits() {
        let mut throttle = Throttle::default();
        for n in 0..ADDRESS_FREE {
            throttle.failed(&format!("a{n}"), ip("2001:db8::1"), at(0));
        }
        assert_eq!(throttle.wait("other", ip("2001:db8::ffff"), at(0)), Some(30), "one network");
        assert_eq!(throttle.wait("other", ip("2001:db8:0:1::1"), at(0)), None);
    }

    #[test]
    fn quiet_is_forgotten_and_memory_is_bounded() {
        let mut throttle = Throttle::default();
        for _ in 0..ACCOUNT_FREE {
            throttle.failed("rosa", ip("198.51.100.7"), at(0));
        }
        assert_eq!(throttle.failed("rosa", ip("198.51.100.7"), at(7_200)).count, 1);
        for n in 0..2 * KEYS_MAX {
            throttle.failed(&format!("a{n}"), ip("198.51.100.7"), at(7_201 + n as i64 / 100));
        }
        assert!(throttle.accounts.len() <= KEYS_MAX);
    }
}
