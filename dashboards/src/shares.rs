//! How much of a common good one address may take, so that one client does not take all of it.
//!
//! Must never: keep an address that holds nothing, or count this machine: its proxy speaks for everybody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// What each address holds.
#[derive(Debug)]
pub(crate) struct Shares {
    max: usize,
    held: Mutex<HashMap<IpAddr, usize>>,
}

/// One piece; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    of: Option<(Arc<Shares>, IpAddr)>,
}

impl Shares {
    /// `max` pieces for each address.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, held: Mutex::new(HashMap::new()) })
    }

    /// A piece for this address; `None` when it has all that it may have.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Share> {
        let address = network(address);
        if address.is_loopback() {
            return Some(Share { of: None });
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let before = held.get(&address).copied().unwrap_or(0);
        if self.max <= before {
            return None;
        }
        held.insert(address, before + 1);
        Some(Share { of: Some((Arc::clone(self), address)) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some((shares, address)) = self.of.take() else { return };
        let mut held = shares.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(&address);
            }
        }
    }
}

/// Whoever has one IPv6 address has 2⁶⁴ of them (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_takes_its_share_and_gives_it_back() {
        let shares = Shares::new(2);
        let first = shares.take(ip("198.51.100.7")).unwrap();
        let second = shares.take(ip("::ffff:198.51.100.7")).unwrap();
        assert!(shares.take(ip("198.51.100.7")).is_none(), "a third");
        assert!(shares.take(ip("198.51.100.8")).is_some(), "another address has its own");
        drop(first);
        let third = shares.take(ip("198.51.100.7")).unwrap();
        drop((second, third));
        assert!(shares.held.lock().unwrap().is_empty(), "who holds nothing is forgotten");
    }

    #[test]
    fn a_network_is_one_address_and_this_machine_is_none() {
        let shares = Shares::new(1);
        let held = shares.take(ip("2001:db8::1")).unwrap();
        assert!(shares.take(ip("2001:db8::ffff")).is_none());
        assert!(shares.take(ip("2001:db8:0:1::1")).is_some());
        drop(held);
        let own: Vec<Share> = (0..10).filter_map(|_| shares.take(ip("127.0.0.1"))).collect();
        let six: Vec<Share> = (0..10).filter_map(|_| shares.take(ip("::1"))).collect();
        assert_eq!((own.len(), six.len()), (10, 10));
    }
}
