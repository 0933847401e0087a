//! Finds out which readings of a body an engine will never take, so that the others reach it.
//!
//! Lines that the engine names are set aside and the rest is sent again; where it names none, the body is halved. What
//! is sent twice by this is the same, so nothing changes.
//!
//! Must never: set readings aside because the engine refuses everything, or send one refused line for ever.

use std::future::Future;

use super::answer::{NamedLine, Which};
use super::error::{EngineError, Retry};
use super::{Refused, body};

/// What sends some lines of a batch.
pub(super) trait Sender {
    /// The lines of the readings at these positions.
    fn lines(&self, positions: &[usize]) -> body::Lines;

    fn send(&self, text: &str) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// A line that every engine takes which takes any at all.
    fn harmless(&self) -> String;
}

/// Sends the readings at all positions up to `count`; those that are never taken come back.
///
/// # Errors
/// [`EngineError::RefusesAll`] when not even a harmless line is taken; whatever else stops the way.
pub(super) async fn write(sender: &impl Sender, count: usize) -> Result<Vec<Refused>, EngineError> {
    let mut parts: Vec<Vec<usize>> = vec![(0..count).collect()];
    let mut refused = Vec::new();
    let (mut any_taken, mut last_refusal) = (false, None);
    // First parts first: the order of a series is kept.
    while let Some(part) = parts.pop() {
        let lines = sender.lines(&part);
        let sent = if lines.of.is_empty() { Ok(()) } else { sender.send(&lines.text).await };
        let error = match sent {
            Ok(()) => {
                any_taken |= !lines.of.is_empty();
                refused.extend(lines.refused);
                continue;
            }
            Err(error) => error,
        };
        match error.retry() {
            Retry::Later(_) | Retry::Hold => return Err(error),
            Retry::Smaller | Retry::Isolate => {}
        }
        let named = match &error {
            EngineError::Refused { lines: named, .. } => positions(named, &lines),
            _ => Vec::new(),
        };
        if named.is_empty() && 1 < lines.of.len() {
            // By lines, not readings: those that are no lines come back with the half that has them.
            let (first, second) = part.split_at(part.len() / 2);
            parts.extend([second.to_vec(), first.to_vec()]);
            continue;
        }
        let named = if named.is_empty() { single(&lines, &error) } else { named };
        let rest: Vec<usize> =
            part.into_iter().filter(|index| !named.iter().any(|n| n.index == *index)).collect();
        parts.push(rest);
        refused.extend(named);
        last_refusal = Some(error);
    }
    if let (false, Some(error)) = (any_taken, last_refusal) {
        // Is it these lines, or is it every line?
        if let Err(other) = sender.send(&sender.harmless()).await {
            return Err(match (other.retry(), error) {
                (Retry::Isolate | Retry::Smaller, EngineError::Refused { address, says, .. }) => {
                    EngineError::RefusesAll { address, says }
                }
                _ => other,
            });
        }
    }
    refused.sort_by_key(|r| r.index);
    Ok(refused)
}

/// The positions of the lines that a refusal names.
fn positions(named: &[NamedLine], lines: &body::Lines) -> Vec<Refused> {
    let mut found: Vec<Refused> = Vec::new();
    for NamedLine { which, reason } in named {
        let number = match which {
            Which::Number(number) => Some(*number),
            Which::Text(text) => lines.text.lines().position(|line| line == text),
        };
        let index = number.and_then(|number| lines.of.get(number)).copied();
        if let Some(index) = index.filter(|index| !found.iter().any(|f| f.index == *index)) {
            found.push(Refused { index, reason: reason.clone() });
        }
    }
    found
}

/// The only line of a part, refused for this reason.
fn single(lines: &body::Lines, error: &EngineError) -> Vec<Refused> {
    let reason = match error {
        EngineError::Refused { says, .. } => says.clone(),
        _ => "the engine finds this line alone too large".to_owned(),
    };
    lines.of.iter().map(|&index| Refused { index, reason: reason.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Readings are numbers, lines are their texts.
    struct Scripted {
        taken: Mutex<Vec<String>>,
        answer: fn(&[&str]) -> Result<(), EngineError>,
    }

    fn refusal(says: &str, named: &[(usize, &str)]) -> EngineError {
        let named = named.iter();
        let lines = named.map(|(n, r)| NamedLine { which: Which::Number(*n), reason: (*r).to_owned() });
        EngineError::Refused {
            address: "http://e".to_owned(),
            status: 400,
            says: says.to_owned(),
            lines: lines.collect(),
        }
    }

    impl Sender for Scripted {
        fn lines(&self, positions: &[usize]) -> body::Lines {
            let mut lines = body::Lines::default();
            for &index in positions {
                if index == 13 {
                    lines.refused.push(Refused { index, reason: "no line".to_owned() });
                } else {
                    lines.text.push_str(&format!("{index}\n"));
                    lines.of.push(index);
                }
            }
            lines
        }

        async fn send(&self, text: &str) -> Result<(), EngineError> {
            let lines: Vec<&str> = text.lines().collect();
            (self.answer)(&lines)?;
            self.taken.lock().unwrap().extend(lines.iter().map(|l| (*l).to_owned()));
            Ok(())
        }

        fn harmless(&self) -> String {
            "harmless\n".to_owned()
        }
    }

    async fn run(
        count: usize,
        answer: fn(&[&str]) -> Result<(), EngineError>,
    ) -> (Result<Vec<(usize, String)>, String>, Vec<String>) {
        let sender = Scripted { taken: Mutex::default(), answer };
        let done = write(&sender, count).await;
        let done = done.map(|all| all.into_iter().map(|r| (r.index, r.reason)).collect());
        (done.map_err(|e| e.to_string()), sender.taken.into_inner().unwrap())
    }

    #[tokio::test]
    async fn bad_lines_are_found_whether_named_or_not_and_order_is_kept() {
        let (named, taken) = run(20, |lines| {
            let bad = lines.iter().position(|l| *l == "7");
            bad.map_or(Ok(()), |n| Err(refusal("partial write", &[(n, "seven")])))
        })
        .await;
        assert_eq!(named, Ok(vec![(7, "seven".to_owned()), (13, "no line".to_owned())]));
        let expected: Vec<String> = (0..20).filter(|n| ![7, 13].contains(n)).map(|n| n.to_string()).collect();
        assert_eq!(taken, expected);
        let (halved, taken) = run(20, |lines| {
            let is_bad = lines.contains(&"7") || lines.contains(&"8");
            if is_bad { Err(refusal("points beyond retention dropped=1", &[])) } else { Ok(()) }
        })
        .await;
        let reason = "points beyond retention dropped=1".to_owned();
        assert_eq!(halved, Ok(vec![(7, reason.clone()), (8, reason), (13, "no line".to_owned())]));
        let expected: Vec<String> =
            (0..20).filter(|n| ![7, 8, 13].contains(n)).map(|n| n.to_string()).collect();
        assert_eq!(taken, expected);
    }

    #[tokio::test]
    async fn large_bodies_are_halved_until_they_fit() {
        let large = || EngineError::TooLarge { address: "http://e".to_owned() };
        let (_, taken) = run(12, |lines| {
            if 3 < lines.len() { Err(EngineError::TooLarge { address: String::new() }) } else { Ok(()) }
        })
        .await;
        assert_eq!(taken.len(), 12);
        let (done, _) = run(2, |lines| {
            if lines.contains(&"1") { Err(EngineError::TooLarge { address: String::new() }) } else { Ok(()) }
        })
        .await;
        assert_eq!(done, Ok(vec![(1, "the engine finds this line alone too large".to_owned())]));
        assert_eq!(large().retry(), Retry::Smaller);
    }

    #[tokio::test]
    async fn an_engine_that_refuses_everything_takes_nothing_aside() {
        let (all, taken) = run(4, |_| Err(refusal("no such org", &[]))).await;
        assert!(all.is_err_and(|e| e.contains("refuses everything") && e.contains("no such org")));
        assert_eq!(taken, Vec::<String>::new());
        // All lines are bad, and the engine is not.
        let (all, _) =
            run(
                4,
                |lines| {
                    if lines.contains(&"harmless") { Ok(()) } else { Err(refusal("type conflict", &[])) }
                },
            )
            .await;
        assert_eq!(all.map(|r| r.len()), Ok(4));
        let (busy, _) = run(4, |_| {
            let (address, says) = ("http://e".to_owned(), String::new());
            Err(EngineError::Busy { address, status: 429, says, after: None })
        })
        .await;
        assert!(busy.is_err_and(|e| e.contains("429")));
    }
}
